import type { LinkFacts } from '../store/links.js';
import type { LinkPayload } from './links.js';

/** Why a link does not open. A stranger only ever gets `unknown`: the others need a real token. */
export type Closed = 'unknown' | 'expired' | 'revoked' | 'other-device' | 'locked';

/** `ask`: nobody is shown anything before they pressed our button, so the fetchers of link previews see nothing. */
export type Verdict = { kind: 'closed'; why: Closed } | { kind: 'ask' } | { kind: 'open' };

/** Browsers that may open a link for a group. */
const MOST_VIEWERS = 200;

export const mostViewers = (payload: LinkPayload) => (payload.about.oneDevice ? 1 : MOST_VIEWERS);

/**
 * What a request to a link gets, as far as its row tells.
 * @param viewing its browser has opened the link before
 */
export function verdictOf(link: LinkFacts | null, viewing: boolean, nowMs: number): Verdict {
  const closed = (why: Closed): Verdict => ({ kind: 'closed', why });
  if (link === null) return closed('unknown');
  if (link.revokedMs !== null) return closed('revoked');
  if (link.expiresMs <= nowMs) return closed('expired');
  if (viewing) return { kind: 'open' };
  if (link.viewers >= mostViewers(link.payload as LinkPayload)) return closed('other-device');
  return link.locked ? closed('locked') : { kind: 'ask' };
}

/**
 * The part of an address that tells the office's net from a phone's, and no household from its neighbour: all that is
 * kept of who opened a link.
 */
export function coarseNetwork(address: string): string {
  const ip = address.replace(/^::ffff:/, '');
  const v4 = /^(\d{1,3}\.\d{1,3})\.\d{1,3}\.\d{1,3}$/.exec(ip);
  if (v4 !== null) return `${v4[1]}.x.x`;
  const groups = ip.split(':');
  return groups.length > 2 && groups[0] !== '' ? `${groups[0]}:${groups[1] || '0'}:…` : 'máy này';
}
