import { PersonError, WorldError } from '../../src/base/errors.js';
import { type Command, command } from '../../src/chat/command.js';

/** A small table of commands for the core's own tests: one of each kind of reading and failing. */
export function makeTable(): { commands: Command[]; runs: string[] } {
  const runs: string[] = [];
  const cameras = ['cổng chợ', 'ngã ba', 'nhà văn hóa'];
  const commands = [
    command<{ camera: string }>({
      name: 'anh',
      aliases: ['ảnh', 'hình', 'chụp ảnh', 'chụp'],
      summary: 'Ảnh mới nhất của camera',
      example: 'ảnh cổng chợ',
      may: ['officer', 'chief'],
      inGroups: true,
      section: 'xem',
      async read(words) {
        const camera = cameras.find(
          (name) => words.toLowerCase() === name || words === name.normalize('NFC'),
        );
        return camera === undefined ? { kind: 'not-mine' } : { kind: 'args', args: { camera } };
      },
      async run(talk, { camera }) {
        runs.push(`anh ${camera}`);
        await talk.reply(`Ảnh ${camera}`);
      },
    }),
    command<null>({
      name: 'trogiup',
      aliases: ['trợ giúp', 'start', 'menu', 'help'],
      summary: 'Xem tôi làm được gì',
      example: 'trợ giúp',
      may: 'everybody',
      inGroups: true,
      section: 'chung',
      read: async () => ({ kind: 'args', args: null }),
      async run(talk) {
        runs.push('trogiup');
        await talk.reply(talk.message.startPayload ? `Mời vào: ${talk.message.startPayload}` : 'Trợ giúp');
      },
    }),
    command<{ what: string }>({
      name: 'thu',
      aliases: ['thử'],
      summary: 'Thử đủ kiểu hỏng',
      example: 'thử lỗi',
      may: 'everybody',
      inGroups: true,
      section: 'chung',
      read: async (words) => (words === '' ? { kind: 'not-mine' } : { kind: 'args', args: { what: words } }),
      async run(talk, { what }) {
        runs.push(`thu ${what}`);
        if (what === 'người') throw new PersonError('Anh/chị cho biết camera nào ạ?');
        if (what === 'đời') throw new WorldError('disk-full', 'no space left');
        if (what === 'ta') throw new Error('secret inner detail');
        if (what === 'im') return;
        if (what === 'hỏi')
          return talk.ask('Camera nào ạ?', [
            { label: 'Cổng chợ', says: 'ảnh cổng chợ' },
            { label: 'Ngã ba', says: 'ảnh ngã ba' },
          ]);
        if (what === 'chữ') return talk.askWords('Tên gì ạ?', 'thử tên');
        if (what === 'riêng') {
          await talk.replyPrivately('Chuyện riêng');
          return;
        }
        await talk.reply(`Đã thử ${what}`);
      },
    }),
    command<null>({
      name: 'kin',
      aliases: ['kín'],
      summary: 'Chỉ nói riêng',
      example: 'kín',
      may: ['chief'],
      inGroups: false,
      section: 'quản lý',
      read: async () => ({ kind: 'args', args: null }),
      async run(talk) {
        runs.push('kin');
        await talk.reply('Kín');
      },
    }),
  ];
  return { commands, runs };
}
