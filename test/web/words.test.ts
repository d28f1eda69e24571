import { describe, expect, it } from 'vitest';
import { readWords } from '../../src/channels/console/words.js';

const inGroup = (text: string, more: { repliesToBot?: boolean; pressed?: boolean } = {}) =>
  readWords(text, { inGroup: true, repliesToBot: false, pressed: false, ...more });

describe('in a group', () => {
  it.each([
    ['/anh cam 1', '/anh cam 1', true],
    ['/anh@matthan cam 1', '/anh cam 1', true],
    ['@matthan ảnh cam 1', 'ảnh cam 1', true],
    ['ảnh cam 1 @MatThan', 'ảnh cam 1', true],
    ['nhờ @matthan ảnh cam 1', 'nhờ ảnh cam 1', true],
    ['ảnh cam 1', 'ảnh cam 1', false],
    ['chị cho em hỏi', 'chị cho em hỏi', false],
    ['/anh@otherbot cam 1', '/anh@otherbot cam 1', false],
    ['viết cho a@matthan.vn', 'viết cho a@matthan.vn', false],
    ['@matthanh ơi', '@matthanh ơi', false],
    ['1/2 đường', '1/2 đường', false],
  ])('%s → %s, said to the bot: %s', (written, text, addressed) => {
    expect(inGroup(written)).toEqual({ text, addressed });
  });

  it('a reply to the bot and a button count', () => {
    expect(inGroup('camera 2', { repliesToBot: true }).addressed).toBe(true);
    expect(inGroup('ảnh 1', { pressed: true }).addressed).toBe(true);
  });

  it('a deep link is no more than words', () => {
    expect(inGroup('/start abc')).toEqual({ text: '/start abc', addressed: true });
  });
});
