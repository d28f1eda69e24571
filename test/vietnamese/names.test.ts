import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { editDistance, findByName, findSeveral, type Named } from '../../src/base/vietnamese/names.js';
import { unmark } from '../../src/base/vietnamese/text.js';

const CAMERAS: Named<string>[] = [
  { item: 'A', number: 1, names: ['Cổng trường', 'Trường tiểu học', 'thôn Phú Lâm'] },
  { item: 'B', number: 2, names: ['Ngã ba chợ', 'Chợ Đình', 'thôn Phú Lâm'] },
  { item: 'C', number: 3, names: ['Ngã tư bưu điện', 'thôn 3'] },
  { item: 'D', number: 4, names: ['Nhà văn hóa', 'thôn Đông Sơn'] },
  { item: 'E', number: 5, names: ['Cầu sắt', 'thôn 5'] },
  { item: 'F', number: 12, names: ['Cổng chùa', 'thôn Đông Sơn'] },
];
const shown = (query: string, candidates = CAMERAS) => {
  const found = findByName(query, candidates);
  if (found.kind === 'one') return found.item;
  return found.kind === 'several' ? found.items.join('+') : `none ${found.nearest.join('')}`.trim();
};

describe('one camera', () => {
  test.each([
    // by number
    ['5', 'E'],
    ['05', 'E'],
    ['#5', 'E'],
    ['cam 5', 'E'],
    ['Camera số 5', 'E'],
    ['c5', 'E'],
    ['cam5', 'E'],
    ['mắt 5', 'E'],
    ['cam năm', 'E'],
    ['cho em xem cam 5 với ạ', 'E'],
    ['cam 12', 'F'],
    ['cam số mười hai', 'F'],
    ['cam 2 ngã ba chợ', 'B'],
    // a number is never guessed at
    ['cam 6', 'none EDC'],
    ['7', 'none EDC'],
    ['cam 22', 'none FED'],
    // by name
    ['cổng trường', 'A'],
    ['cong truong', 'A'],
    ['CỔNG TRƯỜNG', 'A'],
    ['camera ở cổng trường', 'A'],
    ['ngã ba chợ', 'B'],
    ['cam nga ba cho', 'B'],
    ['cam nga ba chơ', 'B'],
    ['ngã 3 chợ', 'B'],
    ['nga3 cho', 'B'],
    ['chợ', 'B'],
    ['cho', 'B'],
    ['xem cho', 'B'],
    ['chợ ngã ba', 'B'],
    ['bưu điện', 'C'],
    ['ngã tư', 'C'],
    ['cầu sắt', 'E'],
    // misspelt
    ['cổng trườngg', 'A'],
    ['cong truog', 'A'],
    ['congtruong', 'A'],
    ['mga ba cho', 'B'],
    ['buu diên', 'C'],
    ['bưu điênj', 'C'],
    ['nhà văn háo', 'D'],
    // by hamlet
    ['thôn Phú Lâm', 'A+B'],
    ['phu lam', 'A+B'],
    ['dong son', 'D+F'],
    ['thôn 3', 'C'],
    ['thôn ba', 'C'],
    ['thôn 4', 'none CE'],
    // more than one
    ['cổng', 'A+F'],
    ['ngã', 'B+C'],
    // nothing
    ['', 'none'],
    ['anh ơi', 'none'],
    ['cam 5 qwerty', 'none E'],
    ['cam 5 cổng trường', 'E+A'],
  ])('%s → %s', (query, expected) => expect(shown(query)).toBe(expected));

  test('the nearest names are offered, at most three', () => {
    expect(shown('cổng làng')).toMatch(/^none [A-F]{1,3}$/);
  });
  test('right marks decide between names that fold to the same', () => {
    const two: Named<string>[] = [
      { item: 'market', names: ['Chợ'] },
      { item: 'wait', names: ['Chờ'] },
    ];
    expect(shown('chợ', two)).toBe('market');
    expect(shown('chờ', two)).toBe('wait');
    expect(shown('cho', two)).toBe('market+wait');
  });
  test('a name of number words goes before the number', () => {
    const street: Named<string>[] = [
      { item: 'two', number: 2, names: ['Cổng trường'] },
      { item: 'street', number: 7, names: ['Ngã tư Hai Bà Trưng'] },
      { item: 'area', number: 8, names: ['Khu 3'] },
    ];
    expect(shown('cam hai bà trưng', street)).toBe('street');
    expect(shown('cam hai', street)).toBe('two');
    expect(shown('khu 3', street)).toBe('area');
    expect(shown('khu vực cổng trường', street)).toBe('two');
  });
  test('at most eight are offered', () => {
    const many = Array.from({ length: 20 }, (_, k) => ({ item: `${k}`, number: k, names: ['thôn Đông'] }));
    const found = findByName('thôn đông', many);
    expect(found.kind === 'several' && found.items).toHaveLength(8);
    const all = findSeveral('thôn đông', many);
    expect(all.kind === 'several' && all.items).toHaveLength(20);
  });
});

describe('several cameras', () => {
  test.each([
    ['cam 1, 2 và 5', 'ABE'],
    ['1 2 5', 'ABE'],
    ['1,2,5', 'ABE'],
    ['1-4', 'ABCD'],
    ['cam 1 đến 4', 'ABCD'],
    ['từ 4 đến 12', 'DEF'],
    ['cam 2 cam 1', 'BA'],
    ['2 2', 'B'],
    ['cam 5', 'E'],
    ['cổng trường và ngã ba chợ', 'AB'],
    ['cổng trường, cầu sắt', 'AE'],
    ['cam 5 va cong truong', 'EA'],
  ])('%s → %s', (query, expected) =>
    expect(findSeveral(query, CAMERAS)).toEqual({ kind: 'list', items: [...expected] }),
  );

  test.each(['tất cả', 'hết', 'all', 'tất cả camera', 'tat ca cac camera', 'TẤT CẢ', 'toàn bộ'])(
    '%s means all',
    (query) => expect(findSeveral(query, CAMERAS)).toEqual({ kind: 'all' }),
  );

  test('the part that fits none, or several, is named', () => {
    expect(findSeveral('1, 9', CAMERAS)).toMatchObject({ kind: 'none', part: '9' });
    expect(findSeveral('cổng trường và quỹ đạo', CAMERAS)).toMatchObject({ kind: 'none', part: 'quỹ đạo' });
    expect(findSeveral('thôn phú lâm', CAMERAS)).toEqual({
      kind: 'several',
      part: 'thôn phú lâm',
      items: ['A', 'B'],
    });
    expect(findSeveral('anh ơi', CAMERAS)).toEqual({ kind: 'none', part: 'anh ơi', nearest: [] });
  });
});

describe('whatever is asked', () => {
  test('it never throws', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        (query) => void [findByName(query, CAMERAS), findSeveral(query, CAMERAS)],
      ),
    );
  });
  test('a full name finds its camera, with or without marks', () => {
    for (const camera of CAMERAS) {
      const name = camera.names[0]!;
      for (const query of [name, unmark(name), name.toUpperCase(), name.normalize('NFD')]) {
        expect([query, shown(query)]).toEqual([query, camera.item]);
      }
    }
  });
  test('a mistake in a long word is forgiven', () => {
    const letters = [...'congtruong'];
    for (let k = 1; k < letters.length; k += 1) {
      const typed = letters.filter((_, at) => at !== k).join('');
      expect([typed, shown(typed)]).toEqual([typed, 'A']);
    }
  });
});

test('edit distance counts a swap of neighbours as one', () => {
  expect(editDistance('cho', 'hco')).toBe(1);
  expect(editDistance('truong', 'turong')).toBe(1);
  expect(editDistance('', 'abc')).toBe(3);
  expect(editDistance('abcdef', 'a', 2)).toBe(Number.POSITIVE_INFINITY);
});
