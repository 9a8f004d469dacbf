// Reactions belong to the message they are about.

/** Tell whether a message is a reaction to one that is shown: the server has put it into `reactions` there. */
export function isFolded(message, page, one) {
  const id = message.kind === "reaction" ? message.reaction?.message_id : null;
  return id !== null && (one.byId.has(id) || page.some((other) => other.message_id === id));
}

/** Put a reaction onto its message: one for each person; an empty emoji takes it back. */
export function react(target, { reaction, sender, timestamp }) {
  const by = sender.user_id ?? sender.address;
  const others = (target.reactions ?? []).filter((one) => (one.by?.user_id ?? one.by?.address ?? one.by) !== by);
  target.reactions = reaction.emoji ? [...others, { by: sender, emoji: reaction.emoji, at: timestamp }] : others;
}
