import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openapi, openapiText, ROUTES } from '../../media/api-routes.js';
import { makeRecorderClient } from '../../media/client.js';
import type { RecorderEvent } from '../../media/types.js';
import { projectRoot, type Stand, startStand } from './stand.js';

let stand: Stand;
beforeAll(async () => {
  stand = await startStand();
});
afterAll(() => stand?.end());

const ask = (place: string, init: RequestInit = {}) =>
  fetch(`${stand.url}${place}`, {
    ...init,
    headers: {
      Authorization: `Bearer ${stand.config.recorderToken}`,
      ...(init.headers as Record<string, string>),
    },
  });

describe('the door', () => {
  it('opens with the token only, except for health, figures and its own description', async () => {
    for (const [name, route] of Object.entries(ROUTES)) {
      const place = route.path.replace(/\{\w+\}/g, 'x');
      const open = 'open' in route;
      if (name === 'events') continue;
      const response = await fetch(`${stand.url}${place}`, { method: route.method.toUpperCase() });
      expect([name, response.status === 401]).toEqual([name, !open]);
    }
    const wrong = await fetch(`${stand.url}/v1/events`, { headers: { Authorization: 'Bearer no' } });
    expect(wrong.status).toBe(401);
    const stranger = makeRecorderClient({ url: stand.url, token: 'no' });
    await expect(stranger.cameras()).rejects.toMatchObject({ name: 'WorldError', kind: 'refused' });
  });

  it('says what is wrong with a question, without repeating addresses', async () => {
    const post = (body: unknown) =>
      ask('/v1/cameras', {
        method: 'POST',
        body: typeof body === 'string' ? body : JSON.stringify(body),
        headers: { 'Content-Type': 'application/json' },
      });
    const bad = [
      '{broken rtsp://a:mat-khau@b',
      { id: '../x', name: 'x', url: 'test:street' },
      { id: 'x', name: 'x', url: 'ftp://a:mat-khau@b/' },
      { id: 'x', name: '', url: 'test:street' },
      { id: 'x', name: 'x', url: 'test:street', extra: 1 },
    ];
    for (const body of bad) {
      const response = await post(body);
      const answer = (await response.json()) as { error: { kind: string; message: string } };
      expect(response.status).toBe(400);
      expect(answer.error.kind).toBe('invalid');
      expect(answer.error.message).not.toContain('mat-khau');
    }
  });

  it('says what is wrong with a time that can not be, at every route that takes one', async () => {
    await stand.client.addCamera({ id: 'times', name: 'x', url: 'test:street', enabled: false });
    const now = Date.now();
    const absurd = [
      '9e18',
      '9007199254740993',
      '1e308',
      '1e999',
      '-1',
      '-9e15',
      'abc',
      '',
      'null',
      '8.64e15',
    ];
    const pairs = [
      ...absurd.flatMap((text) => [
        [text, String(now)],
        [String(now - 1000), text],
      ]),
      [String(now), String(now)],
      [String(now), String(now - 1)],
    ] as [string, string][];
    const answers: [string, number, string][] = [];
    const note = async (what: string, response: Response) => {
      const body = (await response.json()) as { error?: { message: string } };
      answers.push([what, response.status, body.error?.message ?? '']);
    };
    const post = (place: string, body: string) =>
      ask(place, { method: 'POST', body, headers: { 'Content-Type': 'application/json' } });
    const hold = '"cameraId": "times", "by": "An", "why": "thử"';
    for (const [start, end] of pairs) {
      const range = `startMs=${start}&endMs=${end}`;
      const inBody = `"startMs": ${start}, "endMs": ${end}`;
      await note(`coverage ${range}`, await ask(`/v1/cameras/times/coverage?${range}`));
      await note(`coverages ${range}`, await ask(`/v1/coverage?cameras=times&${range}`));
      // there either end may be left out
      if (start !== '' && end !== '') await note(`deletions ${range}`, await ask(`/v1/deletions?${range}`));
      await note(`clip ${inBody}`, await post('/v1/clips', `{"cameraId": "times", ${inBody}}`));
      await note(`hold ${inBody}`, await post('/v1/holds', `{${hold}, ${inBody}}`));
    }
    const good = `"startMs": ${now - 1000}, "endMs": ${now}`;
    for (const until of absurd.filter((text) => text !== 'null'))
      await note(`hold until ${until}`, await post('/v1/holds', `{${hold}, ${good}, "untilMs": ${until}}`));
    for (const day of ['2026-02-30', 'x', '', '99999-01-01', '9e18'])
      await note(`day ${day}`, await ask(`/v1/chain-heads?day=${day}`));
    for (const after of ['9e18', '-1', 'x', '1.5', '9007199254740993']) {
      await note(`deletions after ${after}`, await ask(`/v1/deletions?after=${after}`));
      await note(`events after ${after}`, await ask(`/v1/events?after=${after}`));
    }
    expect(answers.filter(([, status, message]) => status !== 400 || message === '')).toEqual([]);
    // what can be is answered, however far
    const far = [`startMs=0&endMs=${now}`, `startMs=0.5&endMs=${now}.25`, 'startMs=0&endMs=7258118400000'];
    for (const range of far) {
      expect((await ask(`/v1/cameras/times/coverage?${range}`)).status, range).toBe(200);
      expect((await ask(`/v1/deletions?${range}`)).status, range).toBe(200);
    }
    for (const query of ['after=9007199254740991', 'startMs=&endMs=', 'after='])
      expect((await ask(`/v1/deletions?${query}`)).status, query).toBe(200);
    for (const day of ['0001-01-01', '9999-12-31'])
      expect((await ask(`/v1/chain-heads?day=${day}`)).status, day).toBe(200);
    await stand.client.removeCamera('times');
  });

  it('answers what is not there', async () => {
    await expect(stand.client.camera('nobody')).rejects.toMatchObject({ kind: 'not-found' });
    await expect(stand.client.snapshot('nobody')).rejects.toMatchObject({ kind: 'not-found' });
    await expect(stand.client.coverage('nobody', { startMs: 0, endMs: 1 })).rejects.toMatchObject({
      kind: 'not-found',
    });
    await expect(stand.client.clip({ cameraId: 'nobody', startMs: 0, endMs: 1 })).rejects.toMatchObject({
      kind: 'not-found',
    });
    expect((await ask('/v1/clips/none')).status).toBe(404);
    expect((await ask('/v1/clips/none/parts/0')).status).toBe(404);
    expect((await ask('/v2')).status).toBe(404);
  });

  it('tells its health and figures', async () => {
    expect(await stand.client.health()).toMatchObject({
      ok: true,
      cameras: { total: 0 },
      disk: { low: false },
    });
    const figures = await (await fetch(`${stand.url}/metrics`)).text();
    expect(figures).toContain('matthan_cameras{state="recording"} 0');
    expect(figures).toContain('process_resident_memory_bytes');
  });

  it('describes itself as media/openapi.json does', async () => {
    const printed = await fs.readFile(path.join(projectRoot, 'media/openapi.json'), 'utf8');
    expect(printed, 'stale: run npm run print').toBe(openapiText());
    expect(await (await fetch(`${stand.url}/openapi.json`)).json()).toEqual(JSON.parse(printed));
    expect(JSON.parse(printed)).toEqual(JSON.parse(JSON.stringify(openapi())));
  });

  it('is unreachable when the service is away', async () => {
    const client = makeRecorderClient({ url: 'http://127.0.0.1:9', token: 'x' });
    await expect(client.cameras()).rejects.toMatchObject({ name: 'WorldError', kind: 'unreachable' });
  });
});

describe('a camera that is not there', () => {
  it('is down with a cause at once, and has no picture', async () => {
    const added = await stand.client.addCamera({ id: 'gone', name: 'Mất', url: 'rtsp://127.0.0.1:9/x' });
    expect(added).toMatchObject({ state: 'starting', cause: null });
    const seen = await nextEvents(0, (events) => events.some((one) => one.kind === 'camera-down'));
    expect(seen.at(-1)).toMatchObject({ cameraId: 'gone', data: { cause: 'unreachable' } });
    await expect(stand.client.snapshot('gone')).rejects.toMatchObject({
      kind: 'no-footage',
      message: expect.stringContaining('unreachable'),
    });
    const now = Date.now();
    const { gaps } = await stand.client.coverage('gone', { startMs: now - 100, endMs: now + 60_000 });
    expect(gaps.every((gap) => gap.cause === 'unreachable' && gap.endMs <= Date.now())).toBe(true);
    await stand.client.addCamera({ id: 'off', name: 'Tắt', url: 'test:street', enabled: false });
    const range = { startMs: now - 100, endMs: now };
    expect(await stand.client.coverages(['off', 'gone'], range)).toEqual([
      await stand.client.coverage('off', range),
      await stand.client.coverage('gone', range),
    ]);
    expect(await stand.client.coverages([], range)).toEqual([]);
    await expect(stand.client.coverages(['gone', 'nobody'], range)).rejects.toMatchObject({
      kind: 'not-found',
    });
    await stand.client.removeCamera('off');
    await stand.client.removeCamera('gone');
  });
});

/** Events after an id until they are enough. */
async function nextEvents(
  after: number,
  enough: (events: RecorderEvent[]) => boolean,
): Promise<RecorderEvent[]> {
  const stop = new AbortController();
  const events: RecorderEvent[] = [];
  for await (const event of stand.client.events(
    after,
    AbortSignal.any([stop.signal, AbortSignal.timeout(20_000)]),
  )) {
    events.push(event);
    if (enough(events)) break;
  }
  stop.abort();
  return events;
}

describe('the event stream', () => {
  it('is resumed after a break and a restart: each event once, in order, none missing', async () => {
    const before = await nextEvents(0, (events) => events.length >= 3);
    const stop = new AbortController();
    const seen: number[] = [];
    const last = before.at(-1)!.id;
    const port = stand.service.port;
    const reading = (async () => {
      for await (const event of stand.client.events(last, stop.signal)) {
        seen.push(event.id);
        if (event.cameraId === 'after') break;
      }
    })();
    await stand.client.addCamera({ id: 'before', name: 'x', url: 'test:street', enabled: false });
    await stand.service.stop();
    const { startService } = await import('../../media/service.js');
    const { quiet } = await import('./stand.js');
    stand.service = await startService({ ...stand.config, recorderPort: port }, { log: quiet });
    await stand.client.addCamera({ id: 'after', name: 'x', url: 'test:street', enabled: false });
    await reading;
    stop.abort();
    // numbers may leave some out where it was started again
    const there = await nextEvents(last, (events) => events.some(({ cameraId }) => cameraId === 'after'));
    expect(seen).toEqual(there.slice(0, seen.length).map(({ id }) => id));
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
    expect(seen.length).toBeGreaterThanOrEqual(4);
  });

  it('takes Last-Event-ID as browsers send it', async () => {
    const stop = new AbortController();
    const [, second, third] = await nextEvents(0, (events) => events.length >= 3);
    const headers = { 'Last-Event-ID': String(second!.id) };
    const response = await ask('/v1/events', { headers, signal: stop.signal });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    let text = '';
    for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
      text += piece;
      if (text.includes('id: ')) break;
    }
    stop.abort();
    expect(/id: (\d+)/.exec(text)![1]).toBe(String(third!.id));
  });
});

describe('clips as jobs', () => {
  it('are cancelled and forgotten', async () => {
    await stand.client.addCamera({ id: 'clip', name: 'x', url: 'test:street', enabled: false });
    const now = Date.now();
    const order = { cameraId: 'clip', startMs: now - 1000, endMs: now + 60_000 };
    const abort = new AbortController();
    const progress: string[] = [];
    await stand.client.changeCamera('clip', { enabled: true });
    await expect(
      stand.client.clip(order, {
        signal: abort.signal,
        onProgress(job) {
          progress.push(job.id);
          abort.abort();
        },
      }),
    ).rejects.toMatchObject({ kind: 'cancelled' });
    expect((await ask(`/v1/clips/${progress[0]}`)).status).toBe(404);
    expect(await fs.readdir(path.join(stand.folder, 'clips'))).toEqual([]);
    await stand.client.removeCamera('clip');
  });

  it('refuse ranges that can not be', async () => {
    const now = Date.now();
    const order = (startMs: number, endMs: number) =>
      stand.client.clip({ cameraId: 'after', startMs, endMs });
    await expect(order(now, now - 1)).rejects.toMatchObject({ kind: 'invalid' });
    await expect(order(now + 60_000, now + 61_000)).rejects.toMatchObject({ kind: 'invalid' });
    await expect(order(now - 9 * 3_600_000, now)).rejects.toMatchObject({ kind: 'invalid' });
  });
});
