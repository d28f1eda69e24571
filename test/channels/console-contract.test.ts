import fs from 'node:fs';
import path from 'node:path';
import type { LineView } from '../../src/channels/console/view.js';
import { openStage } from '../web/stage.js';
import { type ChannelFixture, describeChannelContract } from './contract.js';

const MIME = { photo: 'image/jpeg', video: 'video/mp4', document: 'application/octet-stream' } as const;

/** The browser's side of the console, over real HTTP. */
async function makeConsoleFixture(): Promise<ChannelFixture> {
  const stage = await openStage({ start: false });
  const { csrf } = (await (await stage.ask('/console/api/state')).json()) as { csrf: string };
  let again: (() => Promise<void>) | null = null;

  const must = async (response: Response) => {
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  };
  const say = async (words: Record<string, unknown>) => {
    const whole = { clientId: crypto.randomUUID(), ...words };
    again = async () => must(await stage.say('canbo', whole));
    await again();
  };
  const lines = async (where: 'private' | 'group') => {
    const chat = where === 'private' ? 'canbo' : 'nhom-canbo';
    const answer = await stage.ask(`/console/api/lines?as=canbo&chat=${chat}`);
    return ((await answer.json()) as { lines: LineView[] }).lines;
  };
  return {
    channel: stage.channel,
    userId: 'canbo',
    privateChat: { channel: 'console', chatId: 'canbo' },
    groupChat: { channel: 'console', chatId: 'nhom-canbo' },
    says: (text, where, to = 'nobody') =>
      say({
        chatId: where === 'private' ? 'canbo' : 'nhom-canbo',
        text: to === 'mention' ? `@matthan ${text}` : text,
      }),
    repliesInGroup: (text, toId) => say({ chatId: 'nhom-canbo', text, replyTo: Number(toId) }),
    async sends(kind, file, caption = '') {
      const form = new FormData();
      form.append('chatId', 'canbo');
      form.append('clientId', crypto.randomUUID());
      form.append('text', caption);
      form.append('file', await fs.openAsBlob(file, { type: MIME[kind] }), path.basename(file));
      await must(
        await stage.ask('/console/api/say?as=canbo', {
          method: 'POST',
          body: form,
          headers: { 'x-csrf': csrf },
        }),
      );
    },
    // several files together are one message with several attachments
    sendsAlbum: null,
    sendsPlace: (latitude, longitude) => say({ place: { latitude, longitude } }),
    async presses(label, messageId) {
      const line = (await lines('private')).find((each) => String(each.id) === messageId);
      for (const [row, buttons] of (line?.buttons ?? []).entries())
        for (const [column, button] of buttons.entries())
          if (button.label === label) return say({ press: { line: Number(messageId), row, column } });
      throw new Error(`no button ${label}`);
    },
    deliversAgain: async () => again?.(),
    async seen(where) {
      const all = (await lines(where)).filter((line) => line.from === null);
      return all.map((line) => ({
        id: String(line.id),
        kind: line.kind === 'album' ? 'photo' : line.kind,
        text: line.text,
        buttons: line.buttons.map((row) => row.map((button) => button.label)),
        ...(line.files[0] === undefined ? {} : { sizeBytes: line.files[0].sizeBytes }),
      }));
    },
    breaks: {},
    close: () => stage.stop(),
  };
}

describeChannelContract('the console', makeConsoleFixture);
