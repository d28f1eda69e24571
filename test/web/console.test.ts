import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UPLOAD_BYTES } from '../../src/channels/console/incoming.js';
import type { LineView } from '../../src/channels/console/view.js';
import { openStage, type Stage } from './stage.js';

let stage: Stage;
beforeEach(async () => {
  stage = await openStage();
});
afterEach(async () => {
  await stage.stop();
});

const CANBO = { channel: 'console', chatId: 'canbo' } as const;
const tell = async (text: string, chatId = 'canbo') =>
  (await stage.channel.send({ channel: 'console', chatId }, { kind: 'text', text })).ids[0] as string;
const json = async <T>(where: string) => (await (await stage.ask(where)).json()) as T;
const csrf = async () => (await json<{ csrf: string }>('/console/api/state')).csrf;

interface Heard {
  event: string;
  id: string;
  data: Record<string, unknown>;
}

/** A live stream as the page opens it. */
async function listen(last = '') {
  const leave = new AbortController();
  const response = await stage.ask(`/console/api/events?as=canbo&last=${last}`, { signal: leave.signal });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  return {
    /** events up to and with the first that fits */
    async until(fits: (heard: Heard) => boolean): Promise<Heard[]> {
      const heard: Heard[] = [];
      for (;;) {
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          const frame = text.slice(0, end);
          text = text.slice(end + 2);
          const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(frame)?.[1] ?? '';
          const one = { event: field('event'), id: field('id'), data: JSON.parse(field('data')) };
          heard.push(one);
          if (fits(one)) return heard;
        }
        const part = await reader.read();
        if (part.done) throw new Error(`the stream ended: ${JSON.stringify(heard)}`);
        text += part.value;
      }
    },
    leave: () => leave.abort(),
  };
}
const hello = (heard: Heard) => heard.event === 'hello';
const texts = (heard: Heard[]) => heard.filter((one) => one.event === 'line').map((one) => one.data.text);

describe('the live stream', () => {
  it('tells of new lines, changed lines and activity as they come', async () => {
    const live = await listen();
    await live.until(hello);
    const id = await tell('Đang cắt…');
    await stage.channel.act(CANBO, 'sending-video');
    await stage.channel.send(CANBO, { kind: 'text', text: 'Xong' }, { replaces: id });
    const heard = await live.until((one) => one.data.text === 'Xong');
    expect(heard.map((one) => [one.event, one.data.text ?? one.data.activity])).toEqual([
      ['line', 'Đang cắt…'],
      ['activity', 'sending-video'],
      ['line', 'Xong'],
    ]);
    expect(heard.at(-1)?.data).toMatchObject({ id: Number(id), rev: 1 });
    live.leave();
  });

  it('goes on after a break with exactly what was missed', async () => {
    const live = await listen();
    await live.until(hello);
    await tell('một');
    const last = (await live.until((one) => one.data.text === 'một')).at(-1)?.id ?? '';
    live.leave();
    await tell('hai');
    await tell('ba');
    const again = await listen(last);
    expect(texts(await again.until(hello))).toEqual(['hai', 'ba']);
    await tell('bốn');
    expect(texts(await again.until((one) => one.event === 'line'))).toEqual(['bốn']);
    again.leave();
  });

  it('misses nothing between the reading of the state and the opening of the stream', async () => {
    const { position } = await json<{ position: string }>('/console/api/state?as=canbo');
    await tell('ở giữa');
    const live = await listen(position);
    expect(texts(await live.until(hello))).toEqual(['ở giữa']);
    live.leave();
  });

  it('asks for a fresh start when what was missed is no longer known', async () => {
    const live = await listen('another-run.17');
    expect((await live.until(hello)).map((one) => one.event)).toEqual(['reset', 'hello']);
    live.leave();
  });

  it('ends when the channel stops', async () => {
    const live = await listen();
    await live.until(hello);
    await stage.channel.stop();
    await expect(live.until(() => false)).rejects.toThrow('the stream ended');
  });
});

describe('what a person says', () => {
  it('is taken once although the page sends it twice, even at the same time', async () => {
    const words = { clientId: 'abcdefgh-1', text: 'ảnh 1' };
    const answers = await Promise.all([stage.say('canbo', words), stage.say('canbo', words)]);
    const [first, second] = (await Promise.all(answers.map((answer) => answer.json()))) as {
      inboxId: number;
      line: LineView;
    }[];
    expect(second).toEqual(first);
    expect(stage.taken).toHaveLength(1);
  });

  it('carries the payload of a deep link', async () => {
    await stage.say('khach', { text: '/start moi-abc123' });
    expect(stage.taken[0]).toMatchObject({ text: '/start', startPayload: 'moi-abc123' });
    expect(stage.channel.privateChatLink('moi-abc123')).toBe(`${stage.url}/console#start=moi-abc123`);
  });

  it('is refused in a group one is not in, and without the token of the page', async () => {
    expect((await stage.say('khach', { chatId: 'nhom-canbo', text: '/anh 1' })).status).toBe(403);
    expect((await stage.say('khach', { chatId: 'canbo', text: 'ảnh 1' })).status).toBe(403);
    const without = await stage.ask('/console/api/say?as=canbo', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ chatId: 'canbo', clientId: 'abcdefgh-2', text: 'ảnh 1' }),
    });
    expect(without.status).toBe(403);
    expect(stage.taken).toEqual([]);
  });

  it('can only press a button that is there', async () => {
    const id = Number(
      (
        await stage.channel.send(CANBO, {
          kind: 'text',
          text: 'Camera nào?',
          buttons: [[{ label: 'Một', says: 'ảnh 1' }], [{ label: 'Trang', url: 'https://example.com' }]],
        })
      ).ids[0],
    );
    const press = async (line: number, row: number, column: number, as = 'canbo') =>
      (await stage.say(as, { press: { line, row, column } })).status;
    expect(await press(id, 0, 0)).toBe(200);
    expect(await press(id, 1, 0)).toBe(409);
    expect(await press(id, 0, 1)).toBe(409);
    expect(await press(id + 99, 0, 0)).toBe(409);
    expect(await press(id, 0, 0, 'khach')).toBe(409);
    expect(stage.taken.map((message) => message.text)).toEqual(['ảnh 1']);
  });

  it('is accepted at the next start when the process ended before', async () => {
    await stage.channel.stop();
    expect((await stage.say('canbo', { text: 'ảnh 1' })).status).toBe(503);
    await stage.channel.start(async () => {
      throw new Error('the disk is full');
    });
    expect((await stage.say('canbo', { text: 'ảnh 2' })).status).toBe(500);
    const accepted: string[] = [];
    await stage.channel.start(async (incoming) => {
      if (incoming.kind === 'message') accepted.push(incoming.text);
      return { inboxId: 1, fresh: true };
    });
    expect(accepted).toEqual(['ảnh 2']);
  });
});

const upload = async (file: Blob, name: string, more: Record<string, string> = {}) => {
  const form = new FormData();
  for (const [key, value] of Object.entries({
    chatId: 'ho',
    clientId: crypto.randomUUID(),
    text: '',
    ...more,
  }))
    form.append(key, value);
  form.append('file', file, name);
  return stage.ask('/console/api/say?as=ho', {
    method: 'POST',
    body: form,
    headers: { 'x-csrf': await csrf() },
  });
};
const kept = () => fs.readdirSync(path.join(stage.dir, 'console'));

describe('uploads', () => {
  it('are refused over the limit, with a sentence, and leave nothing', async () => {
    const answer = await upload(new Blob([new Uint8Array(UPLOAD_BYTES + 200_000)]), 'lon.mp4');
    expect(answer.status).toBe(413);
    expect(((await answer.json()) as { error: string }).error).toContain('50 MB');
    expect(kept()).toEqual([]);
    expect(stage.taken).toEqual([]);
  });

  it('are refused over the limit although the browser did not say how long they are', async () => {
    const token = await csrf();
    const { key } = JSON.parse(fs.readFileSync(stage.keyFile, 'utf8')) as { key: string };
    const status = await new Promise<number>((resolve, reject) => {
      const request = http.request(
        `${stage.url}/console/api/say?as=ho`,
        {
          method: 'POST',
          headers: {
            origin: stage.url,
            cookie: `matthan-demo=${key}`,
            'x-csrf': token,
            'content-type': 'multipart/form-data; boundary=b',
            'transfer-encoding': 'chunked',
          },
        },
        (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        },
      );
      request.on('error', reject);
      request.write('--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n');
      const chunk = Buffer.alloc(1_000_000, 1);
      for (let i = 0; i < 52; i++) request.write(chunk);
      request.end('\r\n--b--\r\n');
    });
    expect(status).toBe(413);
    expect(kept()).toEqual([]);
  });

  it('leave nothing when the line breaks in the middle', async () => {
    const { key } = JSON.parse(fs.readFileSync(stage.keyFile, 'utf8')) as { key: string };
    const request = http.request(`${stage.url}/console/api/say?as=ho`, {
      method: 'POST',
      headers: {
        origin: stage.url,
        cookie: `matthan-demo=${key}`,
        'x-csrf': await csrf(),
        'content-type': 'multipart/form-data; boundary=b',
        'content-length': 5_000_000,
      },
    });
    request.on('error', () => {});
    request.write('--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n');
    request.write(Buffer.alloc(1_000_000, 1));
    await expect.poll(() => kept().length).toBe(1);
    request.destroy();
    await expect.poll(() => kept().length).toBe(0);
    expect(stage.taken).toEqual([]);
  });

  it('keep the name for show only, whatever it says', async () => {
    expect((await upload(new Blob(['x'], { type: 'image/jpeg' }), '../../../etc/passwd.jpg')).status).toBe(
      200,
    );
    const [attachment] = stage.taken[0]?.attachments ?? [];
    expect(attachment?.ref).toMatch(/^[0-9a-f-]{36}\.jpg$/);
    expect(kept()).toEqual([attachment?.ref]);
  });

  it('are not doubled when the page sends them again', async () => {
    const more = { clientId: 'the-same-upload' };
    await upload(new Blob(['anh']), 'a.jpg', more);
    await upload(new Blob(['anh']), 'a.jpg', more);
    expect(stage.taken).toHaveLength(1);
    expect(kept()).toHaveLength(1);
  });

  it('of pages are never shown as pages', async () => {
    const answer = await upload(new Blob(['<script>1</script>'], { type: 'text/html' }), 'a.html');
    const { line } = (await answer.json()) as { line: LineView };
    const file = await stage.ask(`${line.files[0]?.url}?as=ho`);
    expect(file.headers.get('content-type')).toBe('application/octet-stream');
    expect(file.headers.get('content-disposition')).toMatch(/^attachment/);
  });
});

describe('files', () => {
  async function video() {
    const file = path.join(stage.dir, 'clip.mp4');
    fs.writeFileSync(file, '0123456789');
    const to = { channel: 'console', chatId: 'nhom-canbo' } as const;
    const sent = await stage.channel.send(to, {
      kind: 'video',
      file: { path: file, fileName: 'clip.mp4', sizeBytes: 10 },
      width: 16,
      height: 9,
      durationMs: 1000,
    });
    fs.rmSync(file);
    return { id: sent.ids[0] as string, to };
  }

  it('stay when the spool is emptied, and are served in ranges', async () => {
    const { id } = await video();
    const part = await stage.ask(`/console/files/${id}/0?as=truong`, { headers: { range: 'bytes=2-4' } });
    expect([part.status, await part.text(), part.headers.get('content-type')]).toEqual([
      206,
      '234',
      'video/mp4',
    ]);
  });

  it('are shown only to who may see the chat', async () => {
    const { id } = await video();
    expect((await stage.ask(`/console/files/${id}/0?as=canbo`)).status).toBe(200);
    expect((await stage.ask(`/console/files/${id}/0?as=ho`)).status).toBe(404);
    expect((await fetch(`${stage.url}/console/files/${id}/0?as=canbo`)).status).toBe(401);
  });

  it('go when their line is changed into another', async () => {
    const { id, to } = await video();
    expect(kept()).toHaveLength(1);
    await stage.channel.send(to, { kind: 'text', text: 'Đã gửi riêng' }, { replaces: id });
    expect(kept()).toEqual([]);
    expect((await stage.ask(`/console/files/${id}/0?as=canbo`)).status).toBe(404);
  });

  it('are reached by no path', async () => {
    await video();
    for (const where of ['1/..%2f..%2fx', '..%2f..%2f1/0', '1/-1', '1/0.0', '1/__proto__', 'x/0'])
      expect((await stage.ask(`/console/files/${where}?as=canbo`)).status, where).toBe(404);
  });
});

describe('the demo', () => {
  it('lets nobody in without the key of this run', async () => {
    const tries: Record<string, string>[] = [{}, { cookie: 'matthan-demo=guess' }, { 'x-demo-key': 'guess' }];
    for (const headers of tries)
      expect((await fetch(`${stage.url}/console/api/state`, { headers })).status).toBe(401);
  });

  it('gives the key to the browser of this machine, unreadable for scripts and other pages', async () => {
    const page = await fetch(`${stage.url}/console`);
    expect(page.headers.get('set-cookie')).toMatch(/HttpOnly; SameSite=Strict/);
    expect(await page.text()).not.toMatch(/<script(?![^>]*src=)/);
  });

  it('is closed to what comes through a proxy', async () => {
    const headers = { 'x-forwarded-for': '203.0.113.9' };
    expect((await fetch(`${stage.url}/console`, { headers })).status).toBe(404);
    expect((await stage.ask('/console/api/state', { headers })).status).toBe(401);
  });

  it('keeps the shell’s key to its owner, and takes it away at the end', async () => {
    if (process.platform !== 'win32') expect(fs.statSync(stage.keyFile).mode & 0o777).toBe(0o600);
    stage.personas.retire();
    expect(fs.existsSync(stage.keyFile)).toBe(false);
  });

  it('is nobody when the name is not one of the demo', async () => {
    expect((await stage.ask('/console/api/state?as=root')).status).toBe(401);
  });
});

describe('old lines', () => {
  it('go with their files', async () => {
    await upload(new Blob(['anh']), 'a.jpg');
    await stage.channel.stop();
    await stage.stop();
    let now = Date.now();
    stage = await openStage({ clock: { now: () => now } });
    await upload(new Blob(['anh']), 'a.jpg');
    expect(kept()).toHaveLength(1);
    await stage.channel.stop();
    now += 31 * 86_400_000;
    await stage.channel.start(async () => ({ inboxId: 1, fresh: true }));
    expect(kept()).toEqual([]);
    expect((await json<{ lines: LineView[] }>('/console/api/lines?as=ho&chat=ho')).lines).toEqual([]);
  });
});
