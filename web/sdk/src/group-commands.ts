/**
 * The commands about groups. What has the same effect the second time is asked again when its
 * answer was lost; what has not (`action`) fails then, and the application looks at the group.
 */
import { create } from "@bufbuild/protobuf";

import type { Answer, Kind, PageOptions } from "./commands.js";
import {
  AddGroupMembersSchema,
  AnswerGroupInvitationSchema,
  BanGroupUsersSchema,
  CreateGroupSchema,
  DecideJoinRequestsSchema,
  DefineGroupRoleSchema,
  DismissGroupSchema,
  ExemptGroupMembersSchema,
  GetGroupSchema,
  GroupRole as WireGroupRole,
  JoinGroupSchema,
  ListGroupBansSchema,
  ListGroupInvitationsSchema,
  ListGroupMembersSchema,
  ListJoinRequestsSchema,
  MuteGroupMembersSchema,
  QuitGroupSchema,
  RemoveGroupMembersSchema,
  SetGroupRoleSchema,
  TransferGroupSchema,
  UpdateGroupMemberSchema,
  UpdateGroupSchema,
} from "./gen/anser/client/v1/client_pb.js";
import type {
  Group,
  GroupJoined,
  GroupMemberPage,
  GroupMemberUpdate,
  GroupRight,
  GroupUpdate,
  GroupUserPage,
} from "./group-types.js";
import { groupFrom, joinTo, joinedFrom, membersFrom, usersFrom } from "./group-wire.js";
import type { Command, Result } from "./wire.js";

export abstract class GroupCommands {
  /** @internal One request, one answer. Waits for a connection that is being made, up to 20 s. */
  protected abstract ask<C extends Result["case"], T = void>(
    kind: Kind,
    command: Command,
    expected: C,
    convert?: (value: Answer<C>) => T,
  ): Promise<T>;

  /** Creates a group with this user as its owner; without an id the server chooses one. */
  async createGroup(options: {
    name: string;
    members?: readonly string[];
    id?: string;
  }): Promise<Group> {
    const { name, members = [], id = "" } = options;
    const value = create(CreateGroupSchema, { groupId: id, name, members: [...members] });
    return this.ask("action", { case: "createGroup", value }, "group", groupFrom);
  }

  /** Adds users, or invites them where the group wants it. */
  async addGroupMembers(groupId: string, members: readonly string[]): Promise<Group> {
    const value = create(AddGroupMembersSchema, { groupId, members: [...members] });
    return this.ask("question", { case: "addGroupMembers", value }, "group", groupFrom);
  }

  async removeGroupMembers(groupId: string, members: readonly string[]): Promise<Group> {
    const value = create(RemoveGroupMembersSchema, { groupId, members: [...members] });
    return this.ask("question", { case: "removeGroupMembers", value }, "group", groupFrom);
  }

  /** The owner hands the group over first: `transferGroup`. */
  async quitGroup(groupId: string): Promise<void> {
    const value = create(QuitGroupSchema, { groupId });
    await this.ask("action", { case: "quitGroup", value }, "done");
  }

  /** The owner ends the group for everybody. */
  async dismissGroup(groupId: string): Promise<void> {
    const value = create(DismissGroupSchema, { groupId });
    await this.ask("action", { case: "dismissGroup", value }, "done");
  }

  async getGroup(groupId: string): Promise<Group> {
    const value = create(GetGroupSchema, { groupId });
    return this.ask("question", { case: "getGroup", value }, "group", groupFrom);
  }

  async groupMembers(groupId: string, options: PageOptions = {}): Promise<GroupMemberPage> {
    const value = create(ListGroupMembersSchema, { groupId, ...options });
    const command = { case: "listGroupMembers", value } as const;
    return this.ask("question", command, "groupMembers", membersFrom);
  }

  /** Changes name, announcement, portrait, attributes and settings. */
  async updateGroup(groupId: string, update: GroupUpdate): Promise<Group> {
    const { join, putAttributes = {}, removeAttributes = [], ...rest } = update;
    const value = create(UpdateGroupSchema, {
      groupId,
      ...rest,
      putAttributes: { ...putAttributes },
      removeAttributes: [...removeAttributes],
      ...(join && { join: joinTo(join) }),
    });
    return this.ask("question", { case: "updateGroup", value }, "group", groupFrom);
  }

  /** The owner makes another member the owner, and is a plain member then. */
  async transferGroup(groupId: string, owner: string): Promise<Group> {
    const value = create(TransferGroupSchema, { groupId, owner });
    return this.ask("action", { case: "transferGroup", value }, "group", groupFrom);
  }

  /**
   * Gives members a role, at most 100 in one command: `admin`, one that the group has defined, by
   * its name, or `member` again. For the owner.
   */
  async setGroupRole(
    groupId: string,
    members: readonly string[],
    role: "admin" | "member" | { readonly name: string },
  ): Promise<Group> {
    const value = create(SetGroupRoleSchema, {
      groupId,
      members: [...members],
      role: role === "admin" ? WireGroupRole.ADMIN : WireGroupRole.MEMBER,
      roleName: typeof role === "object" ? role.name : "",
    });
    return this.ask("question", { case: "setGroupRole", value }, "group", groupFrom);
  }

  /** Defines a role of the group's own, or replaces its rights. At most 16. For the owner. */
  async defineGroupRole(
    groupId: string,
    name: string,
    rights: readonly GroupRight[],
  ): Promise<Group> {
    const value = create(DefineGroupRoleSchema, { groupId, role: { name, rights: [...rights] } });
    return this.ask("question", { case: "defineGroupRole", value }, "group", groupFrom);
  }

  /** Those who have the role are plain members then. */
  async removeGroupRole(groupId: string, name: string): Promise<Group> {
    const value = create(DefineGroupRoleSchema, { groupId, role: { name }, remove: true });
    return this.ask("question", { case: "defineGroupRole", value }, "group", groupFrom);
  }

  /** Changes nickname and attributes of oneself, or of a member that stands lower. */
  async updateGroupMember(groupId: string, update: GroupMemberUpdate): Promise<void> {
    const { user = "", nickname, putAttributes = {}, removeAttributes = [] } = update;
    const value = create(UpdateGroupMemberSchema, {
      groupId,
      userId: user,
      ...(nickname !== undefined && { nickname }),
      putAttributes: { ...putAttributes },
      removeAttributes: [...removeAttributes],
    });
    await this.ask("question", { case: "updateGroupMember", value }, "done");
  }

  /** Mutes members that stand lower, at most 100 and for ten years; 0 seconds lift it. */
  async muteGroupMembers(
    groupId: string,
    members: readonly string[],
    seconds: number,
  ): Promise<void> {
    const fields = { groupId, members: [...members], seconds: BigInt(seconds) };
    const value = create(MuteGroupMembersSchema, fields);
    await this.ask("question", { case: "muteGroupMembers", value }, "done");
  }

  /** Exempts members from the mute of all, or no longer; at most 100. */
  async exemptGroupMembers(
    groupId: string,
    members: readonly string[],
    exempt = true,
  ): Promise<void> {
    const value = create(ExemptGroupMembersSchema, { groupId, members: [...members], exempt });
    await this.ask("question", { case: "exemptGroupMembers", value }, "done");
  }

  /** Removes users and keeps them out, at most 100 and for ten years; 0 seconds lift it. */
  async banGroupUsers(groupId: string, users: readonly string[], seconds: number): Promise<void> {
    const fields = { groupId, users: [...users], seconds: BigInt(seconds) };
    const value = create(BanGroupUsersSchema, fields);
    await this.ask("question", { case: "banGroupUsers", value }, "done");
  }

  /** Who is banned, for those with the right `ban`. */
  async groupBans(groupId: string, options: PageOptions = {}): Promise<GroupUserPage> {
    const value = create(ListGroupBansSchema, { groupId, ...options });
    return this.ask("question", { case: "listGroupBans", value }, "groupUsers", usersFrom);
  }

  /** Asks to be let in; a public group lets in at once. `message`: at most 256 bytes. */
  async joinGroup(groupId: string, message = ""): Promise<GroupJoined> {
    const value = create(JoinGroupSchema, { groupId, message });
    return this.ask("question", { case: "joinGroup", value }, "groupJoined", joinedFrom);
  }

  /** Who asks to be let in, for those with the right `approve`. */
  async joinRequests(groupId: string, options: PageOptions = {}): Promise<GroupUserPage> {
    const value = create(ListJoinRequestsSchema, { groupId, ...options });
    return this.ask("question", { case: "listJoinRequests", value }, "groupUsers", usersFrom);
  }

  /** Lets users in or rejects them, at most 100; those who don't ask are passed over. */
  async decideJoinRequests(
    groupId: string,
    users: readonly string[],
    approve: boolean,
  ): Promise<Group> {
    const value = create(DecideJoinRequestsSchema, { groupId, users: [...users], approve });
    return this.ask("question", { case: "decideJoinRequests", value }, "group", groupFrom);
  }

  /** Comes into a group this user was invited to. */
  async acceptGroupInvitation(groupId: string): Promise<Group> {
    const value = create(AnswerGroupInvitationSchema, { groupId, accept: true });
    return this.ask("action", { case: "answerGroupInvitation", value }, "group", groupFrom);
  }

  async declineGroupInvitation(groupId: string): Promise<void> {
    const value = create(AnswerGroupInvitationSchema, { groupId });
    await this.ask("action", { case: "answerGroupInvitation", value }, "done");
  }

  /** Who is invited and has not answered, for those with the right `invite`. */
  async groupInvitations(groupId: string, options: PageOptions = {}): Promise<GroupUserPage> {
    const value = create(ListGroupInvitationsSchema, { groupId, ...options });
    return this.ask("question", { case: "listGroupInvitations", value }, "groupUsers", usersFrom);
  }
}
