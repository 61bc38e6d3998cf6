/** Between groups on the wire and groups as an application sees them. */
import { create, fromBinary } from "@bufbuild/protobuf";

import { objectFrom } from "./created-wire.js";
import { brokenProtocol } from "./errors.js";
import {
  type DefinedRole as WireDefinedRole,
  type Group as WireGroup,
  type GroupJoined as WireGroupJoined,
  type GroupMember as WireGroupMember,
  type GroupMemberPage as WireGroupMemberPage,
  type GroupSettings as WireGroupSettings,
  type GroupUserPage as WireGroupUserPage,
  type JoinRequestPush,
  GroupNotice_Kind as Kind,
  GroupNoticeSchema,
  GroupRole as WireGroupRole,
  GroupSettingsSchema,
  JoinMode as WireJoinMode,
} from "./gen/anser/client/v1/client_pb.js";
import { group } from "./conversation.js";
import { safeNumber } from "./numbers.js";
import type {
  DefinedRole,
  Group,
  GroupJoined,
  GroupMember,
  GroupMemberPage,
  GroupNotice,
  GroupRight,
  GroupRole,
  GroupSettings,
  GroupUserPage,
  JoinMode,
  JoinRequest,
} from "./group-types.js";

const ROLES: Record<WireGroupRole, GroupRole> = {
  [WireGroupRole.UNSPECIFIED]: "member",
  [WireGroupRole.MEMBER]: "member",
  [WireGroupRole.OWNER]: "owner",
  [WireGroupRole.ADMIN]: "admin",
};

const JOIN_MODES: Record<JoinMode, WireJoinMode> = {
  approval: WireJoinMode.APPROVAL,
  public: WireJoinMode.PUBLIC,
  closed: WireJoinMode.CLOSED,
};

export function joinTo(join: JoinMode): WireJoinMode {
  return JOIN_MODES[join];
}

function joinFrom(join: WireJoinMode): JoinMode {
  if (join === WireJoinMode.PUBLIC) return "public";
  return join === WireJoinMode.CLOSED ? "closed" : "approval";
}

/** A younger server may know roles that this client does not: their holders are members. */
function roleFrom(role: WireGroupRole): GroupRole {
  return ROLES[role] ?? "member";
}

function settingsFrom(wire: WireGroupSettings): GroupSettings {
  return {
    join: joinFrom(wire.join),
    invitationsNeedAcceptance: wire.invitationsNeedAcceptance,
    onlyAdminsInvite: wire.onlyAdminsInvite,
    muted: wire.muted,
    historyVisible: wire.historyVisible,
  };
}

function definedFrom({ name, rights }: WireDefinedRole): DefinedRole {
  return { name, rights: rights as GroupRight[] };
}

export function groupFrom(wire: WireGroup): Group {
  return {
    id: wire.groupId,
    conversation: group(wire.groupId),
    name: wire.name,
    owner: wire.owner,
    admins: wire.admins,
    memberCount: wire.memberCount,
    createdTime: safeNumber(wire.createdTime),
    announcement: wire.announcement,
    portrait: wire.portrait,
    attributes: { ...wire.attributes },
    settings: settingsFrom(wire.settings ?? create(GroupSettingsSchema)),
    roles: wire.roles.map(definedFrom),
  };
}

function memberFrom(wire: WireGroupMember): GroupMember {
  return {
    userId: wire.userId,
    role: roleFrom(wire.role),
    roleName: wire.roleName,
    nickname: wire.nickname,
    attributes: { ...wire.attributes },
    joinedTime: safeNumber(wire.joinedTime),
    mutedUntil: safeNumber(wire.mutedUntil),
    exempt: wire.exempt,
  };
}

export function membersFrom({ members, cursor }: WireGroupMemberPage): GroupMemberPage {
  return { members: members.map(memberFrom), cursor };
}

export function usersFrom({ users, cursor }: WireGroupUserPage): GroupUserPage {
  return {
    users: users.map(({ userId, time, operator, until, message }) => ({
      userId,
      time: safeNumber(time),
      operator,
      until: safeNumber(until),
      message,
    })),
    cursor,
  };
}

export function joinedFrom({ joined, group: wire }: WireGroupJoined): GroupJoined {
  if (joined && !wire) throw brokenProtocol("joined, but the group is missing");
  return { joined, group: wire && groupFrom(wire) };
}

export function joinRequestFrom(wire: JoinRequestPush): JoinRequest {
  const { groupId, userId, time, message, rejectedBy } = wire;
  return { groupId, userId, time: safeNumber(time), message, rejectedBy };
}

/** Those kinds that say all with who did it to whom. */
const PLAIN = {
  [Kind.CREATED]: "created",
  [Kind.ADDED]: "added",
  [Kind.REMOVED]: "removed",
  [Kind.QUIT]: "quit",
  [Kind.DISMISSED]: "dismissed",
  [Kind.TRANSFERRED]: "transferred",
  [Kind.JOINED]: "joined",
  [Kind.INVITED]: "invited",
  [Kind.DECLINED]: "declined",
} as const;

export function noticeFrom(body: Uint8Array): GroupNotice | undefined {
  try {
    const wire = fromBinary(GroupNoticeSchema, body);
    const { operator, users, userCount, changed, roleName } = wire;
    const about = { operator, users, userCount };
    switch (wire.kind) {
      case Kind.UPDATED: {
        const { name, announcement, portrait } = wire;
        const nestedAttributes = objectFrom(wire.nestedAttributes);
        const values = { name, announcement, portrait, nestedAttributes };
        return { kind: "updated", ...about, changed, ...values };
      }
      case Kind.ROLE_SET:
        return { kind: "role-set", ...about, role: roleFrom(wire.role), roleName };
      case Kind.ROLE_DEFINED:
        return { kind: "role-defined", ...about, roleName };
      case Kind.MEMBER_UPDATED:
        return { kind: "member-updated", ...about, changed, nickname: wire.nickname };
      case Kind.MUTED:
        return { kind: "muted", ...about, until: safeNumber(wire.until) };
      case Kind.BANNED:
        return { kind: "banned", ...about, until: safeNumber(wire.until) };
      case Kind.EXEMPTED:
        return { kind: "exempted", ...about, exempt: changed.includes("exempt") };
      case Kind.KIND_UNSPECIFIED:
        return { kind: "unknown", ...about };
      default:
        return { kind: PLAIN[wire.kind] ?? "unknown", ...about };
    }
  } catch {
    // One odd notice must not make the conversation unreadable.
    return undefined;
  }
}
