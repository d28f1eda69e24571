/** How the bot is called in the console's groups. */
const MENTION = /(^|[^\p{L}\p{N}@])@(?:matthan|mat_than|mắtthần)(?:bot)?(?![\p{L}\p{N}_])/iu;
const AFTER_SLASH = /^(\/\p{L}[\p{L}\p{N}_]*)@(?:matthan|mat_than)(?:bot)?(?![\p{L}\p{N}_])/iu;
const OTHER_MENTION = /^\/[a-z0-9_]+@(?!(?:matthan|mat_than)(?:bot)?\b)/i;

export interface SpokenWords {
  /** NFC, without the mention */
  text: string;
  /** said to the bot on purpose */
  addressed: boolean;
  startPayload?: string;
}

/**
 * Takes a written text apart. In a private chat everything is said to the bot; in a group only a slash, a mention, a
 * reply to the bot, or a button.
 */
export function readWords(
  written: string,
  said: { inGroup: boolean; repliesToBot: boolean; pressed: boolean },
): SpokenWords {
  const whole = written.normalize('NFC').trim();
  const mentioned = MENTION.test(whole);
  const text = whole
    .replace(AFTER_SLASH, '$1')
    .replace(MENTION, '$1')
    .replace(/[ \t]{2,}/g, ' ')
    .trim();
  const slash = /^\/\p{L}/u.test(whole) && !OTHER_MENTION.test(whole);
  const start = /^\/start[ \t]+(\S+)$/.exec(text);
  const addressed = !said.inGroup || said.pressed || said.repliesToBot || mentioned || slash;
  return start && !said.inGroup
    ? { text: '/start', addressed, startPayload: start[1]! }
    : { text, addressed };
}
