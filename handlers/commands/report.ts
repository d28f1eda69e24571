import { fold } from '../../src/base/vietnamese/text.js';
import { command } from '../../src/chat/command.js';
import { readCode } from '../codes.js';
import type { House } from '../house.js';
import { aboutReport } from '../reports/read.js';
import { receiveReport, showName } from '../reports/report.js';

type Args = { do: 'explain' } | { do: 'report'; text: string } | { do: 'show-name' | 'about'; code: string };

/** `baotin`: the sure way to report in words; photos and videos need no command at all. */
export const reportCommand = (house: House) =>
  command<Args>({
    name: 'baotin',
    aliases: ['báo tin', 'tin báo', 'gửi tin báo', 'trình báo', 'tố giác'],
    summary: 'Báo tin cho công an (hoặc gửi thẳng ảnh, video)',
    example: 'báo tin có người lạ ở cầu',
    may: 'everybody',
    inGroups: false,
    section: 'báo tin',
    async read(words) {
      const name = /^(\S+)\s+(?:hiện tên|hien ten|cho biết tên)\s*$/iu.exec(words.trim());
      const code = name === null ? null : readCode(name[1] ?? '');
      if (code?.kind === 'receipt') return { kind: 'args', args: { do: 'show-name', code: code.code } };
      if (fold(words) === '') return { kind: 'args', args: { do: 'explain' } };
      const asked = readCode(words);
      if (asked?.kind === 'receipt') return { kind: 'args', args: { do: 'about', code: asked.code } };
      return { kind: 'args', args: { do: 'report', text: words.trim() } };
    },
    async run(talk, args) {
      if (args.do === 'show-name') return showName(house, talk, args.code);
      if (args.do === 'about') return aboutReport(house, talk, args.code);
      if (args.do === 'report') return receiveReport(house, talk, args.text);
      await talk.askWords(
        'Anh/chị kể giúp: chuyện gì, ở đâu, lúc nào. Có ảnh, video thì gửi thẳng vào đây. Việc khẩn cấp xin gọi ngay 113.',
        'báo tin',
      );
    },
  });
