import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CannotSay, sayOnce } from '../../src/bin/say-once.js';
import { openStage, type Stage } from './stage.js';

let stage: Stage;
beforeEach(async () => {
  stage = await openStage({ keyFile: (dir) => path.join(dir, 'demo', 'say.json') });
});
afterEach(async () => {
  await stage.stop();
});

async function say(...args: string[]): Promise<Record<string, unknown>[]> {
  const lines: string[] = [];
  await sayOnce(args, { DATA_DIR: stage.dir }, (line) => void lines.push(line));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('npm run say', () => {
  it('prints each reply in its final form, and not the progress before it', async () => {
    const clip = path.join(stage.dir, 'clip.mp4');
    fs.writeFileSync(clip, '0123456789');
    stage.script = async (_message, reply) => {
      const id = await reply({ kind: 'text', text: 'Đang cắt…' });
      await reply(
        {
          kind: 'video',
          file: { path: clip, fileName: 'clip.mp4', sizeBytes: 10 },
          caption: 'Camera 2',
          width: 640,
          height: 360,
          durationMs: 30_000,
        },
        { replaces: id },
      );
      await reply({ kind: 'text', text: 'Còn gì nữa?', buttons: [[{ label: 'Ảnh mới', says: 'ảnh 2' }]] });
    };
    const [video, question] = await say('--as', 'canbo', 'clip cam 2');
    expect(video).toMatchObject({ kind: 'video', text: 'Camera 2', buttons: [] });
    expect(fs.readFileSync(String(video?.file), 'utf8')).toBe('0123456789');
    expect(question).toEqual({ kind: 'text', text: 'Còn gì nữa?', buttons: ['Ảnh mới'] });
    expect(stage.taken[0]).toMatchObject({ text: 'clip cam 2', sender: { userId: 'canbo' } });
  });

  it('waits until the answer is complete', async () => {
    let finish: () => void = () => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    let begun: () => void = () => {};
    const started = new Promise<void>((resolve) => {
      begun = resolve;
    });
    stage.script = async (_message, reply) => {
      begun();
      await finished;
      await reply({ kind: 'text', text: 'sau cùng' });
    };
    const talk = say('--as', 'canbo', 'ảnh 1');
    await started;
    finish();
    expect(await talk).toEqual([{ kind: 'text', text: 'sau cùng', buttons: [] }]);
  });

  it('speaks in a group; chatter ends without a line', async () => {
    expect(await say('--as', 'canbo', '--in', 'nhom-canbo', 'chị cho em hỏi')).toEqual([]);
    expect(stage.taken[0]).toMatchObject({ chatId: 'nhom-canbo', chatKind: 'group', addressed: false });
  });

  it('presses a button by its label, marks or not', async () => {
    stage.script = async (message, reply) => {
      if (message.pressed) return;
      await reply({
        kind: 'text',
        text: 'Camera nào?',
        buttons: [[{ label: '1 · Cổng chợ', says: 'ảnh 1' }]],
      });
    };
    await say('--as', 'canbo', 'ảnh');
    await say('--as', 'canbo', '--press', 'cong cho');
    expect(stage.taken[1]).toMatchObject({ text: 'ảnh 1', pressed: true });
    await expect(say('--as', 'canbo', '--press', 'không có')).rejects.toThrow('Không thấy nút');
  });

  it('sends a file, and a place', async () => {
    const photo = path.join(stage.dir, 'nguoi-la.jpg');
    fs.writeFileSync(photo, 'jpeg');
    await say('--as', 'ho', '--file', photo, '--place', '20.1234,105.4567', 'người lạ');
    expect(stage.taken[0]).toMatchObject({
      text: 'người lạ',
      attachments: [{ kind: 'photo', fileName: 'nguoi-la.jpg', sizeBytes: 4 }],
      place: { latitude: 20.1234, longitude: 105.4567 },
    });
  });

  it('says what is wrong', async () => {
    await expect(say('ảnh 1')).rejects.toThrow('Cách dùng');
    await expect(say('--as', 'ai-do', 'ảnh 1')).rejects.toThrow('Có: truong (trưởng công an), canbo');
    await expect(say('--as', 'khach', '--in', 'nhom-canbo', 'x')).rejects.toThrow(
      'không ở trong nhóm "nhom-canbo"',
    );
  });

  it('says that the demo is not running, with and without a key left behind', async () => {
    fs.writeFileSync(stage.keyFile, '{"url":"http://127.0.0.1:9","key":"x"}');
    await expect(say('--as', 'canbo', 'ảnh 1')).rejects.toThrow('Bản dùng thử chưa chạy');
    stage.personas.retire();
    await expect(say('--as', 'canbo', 'ảnh 1')).rejects.toThrow(CannotSay);
  });
});
