import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { TelegramChannel, TelegramOptions } from '../../src/channels/telegram/index.js';
import type { ChatAddress, Incoming, OutFile } from '../../src/chat/message.js';
import { TelegramServer, type TgGroup, type TgPerson } from '../support/telegram-server.js';
import { channelTo } from './telegram-fixture.js';

/** A stand-in of Telegram with an officer and a group that the bot is not yet in. */
export interface Stage {
  server: TelegramServer;
  officer: TgPerson;
  group: TgGroup;
  dir: string;
  /** channels that `clear` stops */
  opened: TelegramChannel[];
  /** Starts a channel; `take(n)` resolves when that many were accepted. */
  open(options?: Partial<TelegramOptions>): Promise<{
    channel: TelegramChannel;
    taken: Incoming[];
    take(count: number): Promise<Incoming[]>;
  }>;
  /** the officer's private chat */
  here(): ChatAddress;
  /** a file in `dir` */
  file(fileName: string, bytes: Buffer): OutFile;
  clear(): Promise<void>;
}

export async function setStage(): Promise<Stage> {
  const server = await TelegramServer.start({ rates: false });
  const officer = server.user({ id: 7_000_000_001, name: 'Hùng' });
  const group = server.group({ title: 'Nhóm cán bộ', by: officer });
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'telegram-channel-'));
  const opened: TelegramChannel[] = [];
  return {
    server,
    officer,
    group,
    dir,
    opened,
    async open(options = {}) {
      const channel = channelTo(server, options);
      opened.push(channel);
      const taken: Incoming[] = [];
      let told = () => {};
      await channel.start(async (incoming) => {
        taken.push(incoming);
        told();
        return { inboxId: taken.length, fresh: true };
      });
      const take = async (count: number) => {
        while (taken.length < count)
          await new Promise<void>((resolve) => {
            told = resolve;
          });
        return taken;
      };
      return { channel, taken, take };
    },
    here: () => ({ channel: 'telegram', chatId: String(officer.id) }),
    file(fileName, bytes) {
      const target = path.join(dir, fileName);
      fs.writeFileSync(target, bytes);
      return { path: target, sizeBytes: bytes.length, fileName };
    },
    async clear() {
      for (const channel of opened.splice(0)) await channel.stop();
      await server.stop();
      fs.rmSync(dir, { recursive: true, force: true });
    },
  };
}
