import { describe, expect, it } from 'vitest';
import { meaningOf, type Question } from '../../src/chat/question.js';

const menu = (...labels: string[]): Question => ({
  kind: 'menu',
  choices: labels.map((label) => ({ label, says: `says ${label}` })),
});
const chosen = (question: Question, text: string) => {
  const meaning = meaningOf(question, text);
  return meaning.kind === 'says' ? meaning.text.replace('says ', '') : meaning.kind;
};

describe('an open menu', () => {
  const cameras = menu('2 Cổng trường tiểu học', '7 Cầu Cẩm Lương', '12 Cầu Treo', 'Tất cả');

  it.each([
    ['7', '7 Cầu Cẩm Lương'],
    ['cam 7', '7 Cầu Cẩm Lương'],
    ['Camera số 12 nhé', '12 Cầu Treo'],
    ['2', '2 Cổng trường tiểu học'],
    ['cổng trường', '2 Cổng trường tiểu học'],
    ['CAU TREO', '12 Cầu Treo'],
    ['tất cả', 'Tất cả'],
  ])('of numbered cameras takes "%s" for %s', (said, label) => {
    expect(chosen(cameras, said)).toBe(label);
  });

  it.each(['1', '3', 'cầu', 'ảnh 7', '/anh 7', 'chào em', ''])(
    'does not take "%s" for any of them: a number is never the place in the list',
    (said) => {
      expect(chosen(cameras, said)).toBe('none');
    },
  );

  it('of unnumbered choices counts them by their place, and takes no piece of a label', () => {
    const choices = menu('Bỏ nhóm Thôn 1', 'Bỏ nhóm chung', 'Thôi');
    expect(chosen(choices, 'chọn 2')).toBe('Bỏ nhóm chung');
    expect(chosen(choices, 'thôi')).toBe('Thôi');
    expect(chosen(choices, 'thôn 1')).toBe('none');
    expect(chosen(choices, '4')).toBe('none');
  });
});

describe('an open question for words', () => {
  const question: Question = { kind: 'words', command: 'camera thêm' };
  it('takes any words', () => expect(chosen(question, 'Cổng ủy ban')).toBe('camera thêm Cổng ủy ban'));
  it.each(['thôi', 'Hủy', 'bo qua'])('is dropped by "%s"', (said) =>
    expect(chosen(question, said)).toBe('drop'),
  );
});
