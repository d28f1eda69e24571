import { PersonError } from '../../src/base/errors.js';
import { fold } from '../../src/base/vietnamese/text.js';
import { command } from '../../src/chat/command.js';
import { writeAudit } from '../../src/store/audit.js';
import { ensureHamlet, listHamlets } from '../../src/store/places.js';
import type { House } from '../house.js';
import { MAY } from '../rights.js';
import { findHamlet, insists, placeOf } from '../saying.js';

/** `thon`: the list of hamlets; the chief adds one. */
export const hamletCommand = (house: House) =>
  command<{ add: string | null; ask?: true }>({
    name: 'thon',
    aliases: ['thôn', 'danh sách thôn'],
    summary: 'Danh sách thôn, thêm thôn',
    example: 'thôn thêm Thôn 5',
    may: MAY.hamlets,
    inGroups: false,
    section: 'quản lý',
    async read(words, talk) {
      if (/^them$/.test(fold(words))) return { kind: 'args', args: { add: null, ask: true } };
      const adding = /^\s*thêm\s+(.+)$/iu.exec(words) ?? /^\s*them\s+(.+)$/i.exec(words);
      if (adding?.[1] !== undefined) return { kind: 'args', args: { add: adding[1].trim() } };
      if (fold(words) === '' || fold(words) === 'danh sach' || insists(talk))
        return { kind: 'args', args: { add: null } };
      return { kind: 'not-mine' };
    },
    async run(talk, { add, ask }) {
      if (ask) return talk.askWords('Thôn mới tên là gì ạ? Ví dụ: Thôn 5', 'thôn thêm');
      const hamlets = await listHamlets(house.db);
      if (add === null) {
        const names = hamlets.map((hamlet) => `• ${hamlet.name}`).join('\n');
        await talk.reply(
          names === ''
            ? 'Chưa có thôn nào. Thêm bằng cách gõ: thôn thêm Thôn 1'
            : `Các thôn:\n${names}\n\nThêm thôn: thôn thêm <tên thôn>`,
        );
        return;
      }
      if (add.length > 60) throw new PersonError('Tên thôn dài quá, xin viết ngắn trong 60 chữ cái.');
      const done = await talk.once('hamlet', async (tx) => {
        if (findHamlet(hamlets, add) !== null) return false;
        await ensureHamlet(tx, add);
        await writeAudit(tx, [
          {
            atMs: talk.nowMs,
            personId: talk.speaker.personId,
            personName: talk.speaker.name,
            action: 'hamlet.add',
            place: placeOf(talk),
            result: 'ok',
            detail: add,
          },
        ]);
        return true;
      });
      await talk.reply(done ? `Đã thêm ${add}.` : `Thôn này đã có rồi ạ.`);
    },
  });
