import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WorldError, type WorldKind } from '../../src/base/errors.js';
import { fit as fitted } from '../../src/chat/fit.js';
import type {
  Attachment,
  Channel,
  ChatAddress,
  Incoming,
  Message,
  OutFile,
  Reply,
} from '../../src/chat/message.js';
import { makeMp4 } from './mp4.js';

/** What a person sees of one message of the bot. */
export interface SeenMessage {
  /** as in `Sent.ids` */
  id: string;
  kind: 'text' | 'photo' | 'video' | 'document';
  /** text or caption */
  text: string;
  /** labels, row by row */
  buttons: string[][];
  /** size of the file as it arrived */
  sizeBytes?: number;
}

/**
 * One channel and the other side of it: a person, `userId`, who has opened the private chat (so that the bot may
 * write there), and a group with that person and the bot. The fixture does what a phone or browser would do; each
 * action resolves when the platform (the stand-in) has taken it.
 */
export interface ChannelFixture {
  /** made, not started: the suite starts and stops it */
  channel: Channel;
  userId: string;
  privateChat: ChatAddress;
  /** null where the channel has no groups */
  groupChat: ChatAddress | null;
  /** how a person speaks to the bot on purpose in a group */
  says(text: string, where: 'private' | 'group', to?: 'nobody' | 'mention' | 'slash'): Promise<void>;
  /** in the group, as an answer to the bot's message with this id; null where the channel has no replies */
  repliesInGroup: ((text: string, toId: string) => Promise<void>) | null;
  /** in the private chat; `file` is a path */
  sends(kind: 'photo' | 'video' | 'document', file: string, caption?: string): Promise<void>;
  /** photos together, in the private chat; null where there are no albums */
  sendsAlbum: ((files: string[], caption: string) => Promise<void>) | null;
  sendsPlace: ((latitude: number, longitude: number) => Promise<void>) | null;
  /** presses the button of that label on the bot's message with this id, in the private chat */
  presses(label: string, messageId: string): Promise<void>;
  /** after `accept` refused a message: what the platform or browser does to deliver it again (often: nothing) */
  deliversAgain(): Promise<void>;
  /** the platform's messages bring no names: the channel asks for them beside the talk */
  namesComeLater?: true;
  /** files of people that reach the bot, where not all do; the last of them may be of any bytes */
  arrives?: ('photo' | 'video' | 'document')[];
  /** people can't write words to a file there */
  documentsComeWithoutWords?: true;
  /** what stands in the chat now from the bot, oldest first */
  seen(where: 'private' | 'group'): Promise<SeenMessage[]>;
  /** makes the next `send` to the private chat fail with this kind; only the kinds the channel knows */
  breaks: Partial<Record<WorldKind, () => Promise<void>>>;
  /** ends the other side and takes away its files */
  close(): Promise<void>;
}

const SEND_KINDS: WorldKind[] = [
  'rate-limited',
  'unreachable',
  'blocked',
  'chat-gone',
  'migrated',
  'too-big',
  'invalid',
];

/** An `accept` that keeps what it was given, once for each id, and lets a test wait for it. */
function makeInbox() {
  const taken: Incoming[] = [];
  const ids = new Map<string, number>();
  let refusals = 0;
  const watchers = new Set<() => void>();
  let offered = 0;
  return {
    taken,
    ids,
    refuseNext() {
      refusals += 1;
    },
    get offered() {
      return offered;
    },
    async accept(incoming: Incoming) {
      offered += 1;
      taken.push(incoming);
      for (const watcher of [...watchers]) watcher();
      if (refusals > 0) {
        refusals -= 1;
        throw new Error('the inbox can not write');
      }
      const known = ids.get(incoming.externalId);
      if (known !== undefined) return { inboxId: known, fresh: false };
      ids.set(incoming.externalId, ids.size + 1);
      return { inboxId: ids.size, fresh: true };
    },
    /** The messages, when there are `count` of them. */
    async messages(count: number): Promise<Message[]> {
      for (;;) {
        const found = taken.filter((each) => each.kind === 'message');
        if (found.length >= count) return found;
        await new Promise<void>((resolve) => {
          const done = () => {
            watchers.delete(done);
            resolve();
          };
          watchers.add(done);
        });
      }
    },
  };
}

/** Everything a channel promises, whatever its platform. `make` gives a fresh fixture for each test. */
export function describeChannelContract(name: string, make: () => Promise<ChannelFixture>) {
  describe(`the channel ${name}`, () => {
    let fixture: ChannelFixture;
    let inbox: ReturnType<typeof makeInbox>;
    let dir: string;
    let stopped: boolean;

    beforeEach(async () => {
      fixture = await make();
      inbox = makeInbox();
      dir = fs.mkdtempSync(path.join(os.tmpdir(), 'channel-contract-'));
      stopped = false;
      await fixture.channel.start(inbox.accept);
    });

    afterEach(async () => {
      if (!stopped) await fixture.channel.stop();
      await fixture.close();
      fs.rmSync(dir, { recursive: true, force: true });
    });

    const outFile = (file: string): OutFile => ({
      path: file,
      sizeBytes: fs.statSync(file).size,
      fileName: path.basename(file),
    });
    const photoFile = async (fileName = 'anh.jpg', background = '#336699') => {
      const file = path.join(dir, fileName);
      await sharp({ create: { width: 320, height: 180, channels: 3, background } })
        .jpeg()
        .toFile(file);
      return file;
    };
    const videoFile = () => {
      const file = path.join(dir, 'clip.mp4');
      fs.writeFileSync(file, makeMp4({ sound: true }));
      return file;
    };
    const say = async (text: string) => {
      const before = inbox.taken.length;
      await fixture.says(text, 'private');
      const all = await inbox.messages(before + 1);
      return all[before] as Message;
    };
    /** As the outbox does: what the platform takes of it, one by one. */
    const sendFitted = async (reply: Reply) => {
      const ids: string[] = [];
      for (const part of fitted(reply, fixture.channel.limits))
        ids.push(...(await fixture.channel.send(fixture.privateChat, part)).ids);
      return ids;
    };
    const sendText = async (text: string) =>
      (await fixture.channel.send(fixture.privateChat, { kind: 'text', text })).ids[0] as string;

    it('accepts a private message once, with sender, chat and text', async () => {
      const message = await say('ảnh cổng chợ');
      expect(message).toMatchObject({
        kind: 'message',
        channel: fixture.channel.name,
        chatId: fixture.privateChat.chatId,
        chatKind: 'private',
        sender: { userId: fixture.userId },
        text: 'ảnh cổng chợ',
        addressed: true,
        attachments: [],
      });
      if (!fixture.namesComeLater) expect(message.sender.name).not.toBe('');
      expect(message.sentMs).toBeGreaterThan(Date.parse('2020-01-01'));
      await say('hai');
      expect(inbox.offered).toBe(2);
    });

    it('gives text in NFC, however it was typed', async () => {
      const message = await say('ngã ba chợ'.normalize('NFD'));
      expect(message.text).toBe('ngã ba chợ'.normalize('NFC'));
    });

    it('keeps the order of messages and gives each its own id', async () => {
      for (const text of ['một', 'hai', 'ba', 'bốn']) await fixture.says(text, 'private');
      const messages = await inbox.messages(4);
      expect(messages.map((message) => message.text)).toEqual(['một', 'hai', 'ba', 'bốn']);
      expect(new Set(messages.map((message) => message.externalId)).size).toBe(4);
    });

    it('delivers a message again, under the same id, when it could not be accepted', async () => {
      inbox.refuseNext();
      await fixture.says('đừng mất tôi', 'private').catch(() => {});
      await inbox.messages(1);
      await fixture.deliversAgain();
      const [first, second] = await inbox.messages(2);
      expect(second?.text).toBe('đừng mất tôi');
      expect(second?.externalId).toBe(first?.externalId);
    });

    it('tells in a group what is said to the bot from what is not', async () => {
      if (fixture.groupChat === null) return;
      await fixture.says('ảnh cổng chợ', 'group', 'mention');
      await fixture.says('/anh cong cho', 'group', 'slash');
      const messages = await inbox.messages(2);
      for (const message of messages)
        expect(message).toMatchObject({
          chatKind: 'group',
          chatId: fixture.groupChat.chatId,
          addressed: true,
          sender: { userId: fixture.userId },
        });
      expect(messages[0]?.text).toBe('ảnh cổng chợ');
      expect(messages[1]?.text).toBe('/anh cong cho');
      await fixture.says('chị cho em hỏi', 'group', 'nobody');
      await say('xong');
      const aside = inbox.taken.find((each) => each.kind === 'message' && each.text === 'chị cho em hỏi');
      if (aside !== undefined) expect(aside).toMatchObject({ addressed: false });
    });

    it('takes a reply to the bot in a group as said to the bot', async () => {
      if (fixture.groupChat === null || fixture.repliesInGroup === null) return;
      const sent = await fixture.channel.send(fixture.groupChat, { kind: 'text', text: 'Camera nào?' });
      await fixture.repliesInGroup('camera 2', sent.ids[0] as string);
      const [message] = await inbox.messages(1);
      expect(message).toMatchObject({ text: 'camera 2', addressed: true });
    });

    it('shows plain text as it is, marks and signs included', async () => {
      const text = 'Camera <2> & *cổng chợ* _mất_ kết nối [từ 14:30]\nhttps://example.com/a_b?c=d&e=f';
      const id = await sendText(text);
      expect(await fixture.seen('private')).toEqual([
        { id, kind: 'text', text: text.normalize('NFC'), buttons: [] },
      ]);
    });

    it('takes a pressed button as typed words, short or long', async () => {
      const long = `clip camera ngã ba chợ Cẩm Lương lúc 14h30 ngày 21/11/2026 trong 30 giây`;
      const sent = await fixture.channel.send(fixture.privateChat, {
        kind: 'text',
        text: 'Camera nào?',
        buttons: [
          [
            { label: 'Cổng chợ', says: 'ảnh cổng chợ' },
            { label: 'Clip', says: long },
          ],
        ],
      });
      const id = sent.ids[0] as string;
      const [seen] = await fixture.seen('private');
      if (!fixture.channel.limits.buttons) return;
      expect(seen?.buttons).toEqual([['Cổng chợ', 'Clip']]);
      await fixture.presses('Cổng chợ', id);
      await fixture.presses('Clip', id);
      const [first, second] = await inbox.messages(2);
      expect(first).toMatchObject({
        text: 'ảnh cổng chợ',
        pressed: true,
        addressed: true,
        chatKind: 'private',
        sender: { userId: fixture.userId },
      });
      expect(second?.text).toBe(long);
      expect(second?.externalId).not.toBe(first?.externalId);
    });

    it('sends photo, video and document with their captions', async () => {
      const photo = await photoFile();
      const video = videoFile();
      const document = path.join(dir, 'bao-cao.pdf');
      fs.writeFileSync(document, '%PDF-1.4 báo cáo');
      const { channel, privateChat } = fixture;
      await channel.send(privateChat, { kind: 'photo', file: outFile(photo), caption: 'Cổng chợ' });
      if (channel.limits.video)
        await channel.send(privateChat, {
          kind: 'video',
          file: outFile(video),
          caption: 'Đoạn 30 giây',
          width: 640,
          height: 360,
          durationMs: 30_000,
        });
      const takesFiles = channel.limits.fileBytes > 0;
      if (takesFiles) await sendFitted({ kind: 'document', file: outFile(document), caption: 'Báo cáo' });
      const seen = await fixture.seen('private');
      const playable = channel.limits.video ? ['video'] : [];
      // a document's words may follow it as a message of their own
      expect(seen.map(({ kind }) => kind).filter((kind) => kind !== 'text')).toEqual([
        ...['photo', ...playable, ...(takesFiles ? ['document'] : [])],
      ]);
      expect(seen.map(({ text }) => text).filter((text) => text !== '')).toEqual([
        ...[
          'Cổng chợ',
          ...(channel.limits.video ? ['Đoạn 30 giây'] : []),
          ...(takesFiles ? ['Báo cáo'] : []),
        ],
      ]);
      if (!takesFiles) return;
      const sent = seen.find(({ kind }) => kind === 'document');
      expect(sent?.sizeBytes).toBe(fs.statSync(document).size);
    });

    it('sends an album as messages that belong together', async () => {
      const items = [await photoFile('a.jpg'), await photoFile('b.jpg', '#993366')].map((file) => ({
        kind: 'photo' as const,
        file: outFile(file),
      }));
      const ids = await sendFitted({ kind: 'album', items, caption: 'Hai camera' });
      expect(ids.length).toBeGreaterThanOrEqual(1);
      const seen = await fixture.seen('private');
      expect(seen.map((message) => message.id)).toEqual(ids);
      expect(seen[0]?.text).toBe('Hai camera');
    });

    it('receives photo, video and document, and fetches their bytes', async () => {
      const files = { photo: await photoFile(), video: videoFile(), document: path.join(dir, 'don.txt') };
      fs.writeFileSync(files.document, 'Đơn trình báo');
      let count = 0;
      for (const kind of fixture.arrives ?? (['photo', 'video', 'document'] as const)) {
        await fixture.sends(kind, files[kind], `gửi ${kind}`);
        count += 1;
        const message = (await inbox.messages(count))[count - 1] as Message;
        const wordless = kind === 'document' && fixture.documentsComeWithoutWords;
        expect(message.text).toBe(wordless ? '' : `gửi ${kind}`);
        expect(message.attachments.map((attachment) => attachment.kind)).toEqual([kind]);
        // it waits in the inbox as JSON
        const attachment = JSON.parse(JSON.stringify(message.attachments[0])) as Attachment;
        const target = path.join(dir, `fetched-${kind}`);
        const { sizeBytes } = await fixture.channel.fetch(attachment, target, 1_000_000);
        expect(fs.readFileSync(target)).toEqual(fs.readFileSync(files[kind]));
        expect(sizeBytes).toBe(fs.statSync(files[kind]).size);
      }
    });

    it('does not fetch more than it was allowed, and leaves no part behind', async () => {
      const file = path.join(dir, 'lon.bin');
      fs.writeFileSync(file, Buffer.alloc(300_000, 7));
      await fixture.sends(fixture.arrives?.at(-1) ?? 'document', file);
      const [message] = await inbox.messages(1);
      const { sizeBytes: _claimed, ...lying } = (message as Message).attachments[0] as Attachment;
      const target = path.join(dir, 'fetched');
      await expect(fixture.channel.fetch(lying, target, 100_000)).rejects.toMatchObject({ kind: 'too-big' });
      expect(fs.existsSync(target)).toBe(false);
      await expect(fixture.channel.fetch({ ...lying, ref: 'khong-co' }, target, 1000)).rejects.toMatchObject({
        kind: 'not-found',
      });
    });

    it('receives an album as messages that share an id', async () => {
      if (fixture.sendsAlbum === null) return;
      await fixture.sendsAlbum([await photoFile('a.jpg'), await photoFile('b.jpg', '#993366')], 'người lạ');
      const messages = await inbox.messages(2);
      expect(messages[0]?.albumId).toBeTruthy();
      expect(messages[1]?.albumId).toBe(messages[0]?.albumId);
      expect(messages.map((message) => message.text)).toEqual(['người lạ', '']);
    });

    it('receives a place', async () => {
      if (fixture.sendsPlace === null) return;
      await fixture.sendsPlace(20.1234, 105.5678);
      const [message] = await inbox.messages(1);
      expect(message?.place?.latitude).toBeCloseTo(20.1234, 4);
      expect(message?.place?.longitude).toBeCloseTo(105.5678, 4);
    });

    it('turns an earlier message into the reply, or puts a new one in its place', async () => {
      const { channel, privateChat } = fixture;
      // what can't be changed stays, and the new one comes after it
      const shown = async () => {
        const seen = await fixture.seen('private');
        return channel.limits.edit ? seen : seen.slice(-1);
      };
      const progress = await sendText('Đang cắt đoạn ghi…');
      const text = await channel.send(
        privateChat,
        { kind: 'text', text: 'Sắp xong' },
        { replaces: progress },
      );
      expect((await shown()).map((message) => message.text)).toEqual(['Sắp xong']);
      const again = await channel.send(
        privateChat,
        { kind: 'text', text: 'Sắp xong' },
        { replaces: text.ids[0] as string },
      );
      if (channel.limits.edit) expect(again.ids).toEqual(text.ids);
      expect((await shown()).map((message) => message.text)).toEqual(['Sắp xong']);
      const photo = await photoFile();
      await channel.send(
        privateChat,
        { kind: 'photo', file: outFile(photo), caption: 'Đây' },
        { replaces: again.ids[0] as string },
      );
      const seen = await shown();
      expect(seen.map(({ kind, text: caption }) => [kind, caption])).toEqual([['photo', 'Đây']]);
      await channel.send(privateChat, { kind: 'text', text: 'Hết' }, { replaces: seen[0]?.id as string });
      expect((await shown()).map((message) => message.text)).toEqual(['Hết']);
    });

    it('sends a new message when the one to change is gone', async () => {
      const sent = await fixture.channel.send(
        fixture.privateChat,
        { kind: 'text', text: 'Đây' },
        { replaces: '987654321' },
      );
      const seen = await fixture.seen('private');
      expect(seen.map((message) => message.id)).toEqual(sent.ids);
    });

    it('never throws from act', async () => {
      for (const activity of ['typing', 'sending-photo', 'sending-video'] as const)
        await fixture.channel.act(fixture.privateChat, activity);
      await fixture.channel.act({ ...fixture.privateChat, chatId: '1' }, 'typing');
    });

    it('takes the longest text and caption it says it takes', async () => {
      const { textLength, captionLength } = fixture.channel.limits;
      const text = 'Đ'.repeat(textLength);
      await sendText(text);
      const photo = await photoFile();
      await fixture.channel.send(fixture.privateChat, {
        kind: 'photo',
        file: outFile(photo),
        caption: 'ộ'.repeat(captionLength),
      });
      const seen = await fixture.seen('private');
      expect(seen.map((message) => message.text.length)).toEqual([textLength, captionLength]);
    });

    for (const kind of SEND_KINDS)
      it(`says "${kind}" when that is why a message could not be sent`, async () => {
        const breakIt = fixture.breaks[kind];
        if (breakIt === undefined) return;
        await breakIt();
        const failure = await sendText('cảnh báo').then(
          () => null,
          (error: unknown) => error,
        );
        expect(failure).toBeInstanceOf(WorldError);
        expect(failure).toMatchObject({ kind });
        if (kind === 'rate-limited')
          expect((failure as { retryAfterS: number }).retryAfterS).toBeGreaterThan(0);
        if (kind === 'migrated') expect((failure as { movedTo: string }).movedTo).toBeTruthy();
      });

    it('refuses a file that is not there as invalid', async () => {
      const gone = { path: path.join(dir, 'khong-co.jpg'), sizeBytes: 10, fileName: 'a.jpg' };
      await expect(
        fixture.channel.send(fixture.privateChat, { kind: 'photo', file: gone }),
      ).rejects.toMatchObject({ kind: 'invalid' });
    });

    it('opens a private chat by a link, or says that it can not', async () => {
      await say('xin chào');
      const link = fixture.channel.privateChatLink('abc');
      if (link !== null) expect(link).toMatch(fixture.namesComeLater ? /^https:/ : /abc/);
    });

    it('takes nothing more after stop, and stops twice without harm', async () => {
      await say('một');
      await fixture.channel.stop();
      stopped = true;
      await fixture.channel.stop();
      await fixture.says('hai', 'private').catch(() => {});
      expect(inbox.offered).toBe(1);
    });
  });
}
