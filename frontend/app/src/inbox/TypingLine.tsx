/** Who is writing in this conversation right now. */
import { useClient, useFeed, useSignal } from "../context";
import { contactName, memberName } from "../lib/names";
import type { Conversation } from "../types.gen";

export function TypingLine({ conversation }: { readonly conversation: Conversation }) {
  const { company } = useClient();
  const typists = useSignal(company).typing[conversation.id];
  const contact = useFeed((state) => state.contacts[conversation.contact_id]);
  const members = useFeed((state) => state.members);
  const me = useFeed((state) => state.me.id);
  const others = (typists ?? []).filter((typist) => typist.member_id !== me);
  return (
    <>
      {others.map(({ member_id, kind }) => (
        <p className="typing" key={member_id ?? "contact"}>
          <span className="typing-dots" aria-hidden="true"><i /><i /><i /></span>
          {member_id === null ? `${contactName(contact)} is typing…` : `${memberName(members[member_id])} is writing a ${kind === "note" ? "note" : "reply"}…`}
        </p>
      ))}
    </>
  );
}
