import { expect, test } from 'vitest';
import { findCameras, findPeople } from '../../handlers/find.js';
import { looksLikeReport } from '../../handlers/reports/looks-like-report.js';
import { maskPhones } from '../../handlers/reports/mask-phones.js';
import { redact } from '../../src/base/log.js';
import { readSpan } from '../../src/base/vietnamese/moment.js';
import { findAmount } from '../../src/base/vietnamese/money.js';
import type { Camera } from '../../src/store/cameras.js';
import type { Person } from '../../src/store/people.js';

const cameras = Array.from({ length: 60 }, (_, i) => ({
  id: i,
  number: i + 1,
  name: `Ngã ba chợ ${i}`,
  site: { name: `Điểm ${i}` },
  hamletId: i % 5,
  hamletName: `Thôn ${i % 5}`,
  technicianIds: [],
})) as unknown as Camera[];
const people = Array.from({ length: 800 }, (_, id) => ({
  id,
  name: `Nguyễn Văn Tèo ${id}`,
  alias: null,
})) as unknown as Person[];

const READERS: [string, (words: string) => unknown][] = [
  ['a time', (words) => readSpan(words, { nowMs: 1_790_000_000_000, clipSeconds: 30, maxSpanS: 1800 })],
  ['a camera', (words) => findCameras(cameras, words)],
  ['a person', (words) => findPeople(people, words)],
  ['an amount', findAmount],
  ['a report', looksLikeReport],
  ['a telephone number', maskPhones],
  ['a secret', redact],
];
const PIECES = [
  'a',
  ' ',
  '1',
  '1.',
  '1 ',
  '09-',
  '0912 ',
  '14h30 ',
  'từ 14h đến ',
  'cam 1, ',
  'ảnh ',
  'một trăm ',
  'a.a-',
  'rtsp://a@',
  '\u0323\u0302',
  '\u202e',
  '\ud83d',
  '👨‍👩‍👧',
  '\n',
  '(',
];

test.each(READERS)('no words, however long and strange, hold up whoever reads them for %s', (_, read) => {
  for (const piece of PIECES) {
    const words = piece.repeat(Math.ceil(8000 / piece.length)).slice(0, 8000);
    // our own work, not what else the machine does meanwhile
    const before = process.cpuUsage();
    read(words);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000, JSON.stringify(piece)).toBeLessThan(250);
  }
});
