/** Between lists and presence on the wire and as an application sees them. */
import {
  type Presence as WirePresence,
  RelationList as WireRelationList,
  type RelationPage as WireRelationPage,
  type RelationPush,
} from "./gen/anser/client/v1/client_pb.js";
import { safeNumber } from "./numbers.js";
import type { Presence, RelationChange, RelationList, RelationPage } from "./people-types.js";
import { platformFrom } from "./wire.js";

export function relationListTo(list: RelationList): WireRelationList {
  return list === "blocked" ? WireRelationList.BLOCKED : WireRelationList.ALLOWED;
}

export function relationsFrom({
  users,
  cursor,
  allowOnly,
  version,
}: WireRelationPage): RelationPage {
  return { users, cursor, allowOnly, version: safeNumber(version) };
}

export function relationChangeFrom(wire: RelationPush): RelationChange {
  return {
    list: wire.list === WireRelationList.ALLOWED ? "allowed" : "blocked",
    added: wire.added,
    removed: wire.removed,
    allowOnly: wire.allowOnly,
    version: safeNumber(wire.version),
    previous: safeNumber(wire.previous),
  };
}

export function presenceFrom(wire: WirePresence): Presence {
  return {
    user: wire.user,
    online: wire.online,
    lastSeen: safeNumber(wire.lastSeen),
    devices: wire.devices.map(({ deviceId, platform, online, time }) => ({
      deviceId,
      platform: platformFrom(platform),
      online,
      time: safeNumber(time),
    })),
    status: wire.status,
    statusUntil: safeNumber(wire.statusUntil),
  };
}
