// How long a text may be on each channel.

// characters count in UTF-16 units, as the channels count them; the system's own limit is in bytes
const LIMITS = {
  whatsapp: { most: 4096, size: (text) => text.length },
  telegram: { most: 4096, size: (text) => text.length },
  instagram: { most: 999, size: (text) => new TextEncoder().encode(text).length },
  "": { most: 10240, size: (text) => new TextEncoder().encode(text).length },
};
const SHOWN_FROM = 0.8;

/** Return {rest, isClose}: how much more may be written on all of these channels, and whether it is time to say so. */
export function roomFor(text, channels) {
  const limits = [LIMITS[""], ...channels.map((channel) => LIMITS[channel]).filter(Boolean)];
  const [rest, most] = limits.map((limit) => [limit.most - limit.size(text), limit.most]).sort((a, b) => a[0] - b[0])[0];
  return { rest, isClose: rest < most * (1 - SHOWN_FROM) };
}
