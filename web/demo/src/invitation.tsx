/** In the place of the composer, while the user is invited to a group and has not answered. */
import { type AnserClient, type GroupInvitation, parseConversation } from "@anser-im/sdk";

import { useWords } from "./i18n.js";

interface Props {
  client: AnserClient;
  conversation: string;
  invitation: GroupInvitation;
  onProblem(problem: string): void;
  onGone(): void;
}

export function Invitation({ client, conversation, invitation, onProblem, onGone }: Props) {
  const words = useWords();
  const parsed = parseConversation(conversation);
  if (parsed.kind !== "group") return null;
  const answer = (action: Promise<unknown>) =>
    action.catch((error: Error) => onProblem(error.message));
  return (
    <div className="invitation">
      <p>{words.invitedYou(invitation.operator || words.somebody)}</p>
      <button
        className="primary"
        type="button"
        onClick={() => void answer(client.acceptGroupInvitation(parsed.group))}
      >
        {words.accept}
      </button>
      <button
        className="quiet"
        type="button"
        onClick={() => void answer(client.declineGroupInvitation(parsed.group).then(onGone))}
      >
        {words.decline}
      </button>
    </div>
  );
}
