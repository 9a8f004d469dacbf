// Names of people and titles of conversations.

import { say } from "./words.js";

/** Tell how a participant is called: a username, a name, an address, an id. */
export function nameOf(party) {
  if (!party) return "";
  return party.username || party.name || bare(party.address) || party.user_id || "";
}

/** Return an address without its channel. */
const bare = (address) => address?.slice(address.indexOf(":") + 1);

/** Return the name with the channel on which the person is reached, such as "Ana (WhatsApp)". */
export function whereOf(party) {
  const channel = party?.address?.split(":")[0];
  return channel ? `${nameOf(party)} (${say(`to_${channel}`).replace(/^to_/, "")})` : nameOf(party);
}

/** Return the title of a conversation for this user. */
export function titleOf(document, me) {
  if (document.name) return document.name;
  return othersOf(document, me).map(nameOf).join(", ") || document.conversation_id;
}

export function othersOf(document, me) {
  return (document.participant_details ?? []).filter((party) => party.user_id !== me);
}

/** Return the channels on which the other participants are reached, such as ["whatsapp"]. */
export function channelsOf(document) {
  const addresses = (document.participant_details ?? []).map((party) => party.address).filter(Boolean);
  return [...new Set(addresses.map((address) => address.split(":")[0]))];
}
