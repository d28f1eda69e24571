import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hashToken } from '../../src/base/seal.js';
import { readAudit } from '../../src/store/audit.js';
import type { Database } from '../../src/store/database.js';
import { addViewer, revokeLinks, tryPin } from '../../src/store/links.js';
import { setRole } from '../../src/store/people.js';
import { coarseNetwork } from '../../src/web/link-verdict.js';
import { film, HOUR, type LinkStage, MARKET, NOW, openLinkStage, phone } from './link-stage.js';

let stage: LinkStage;
beforeEach(async () => {
  stage = await openLinkStage();
});
afterEach(() => stage.close());

const BYTES = Buffer.from(Array.from({ length: 1000 }, (_, at) => (at * 7) % 256));
const clip = (content: string | Buffer = BYTES) => ({ fileName: 'camera-1.mp4', content, shows: MARKET });
const openings = () => readAudit(stage.database, { actions: ['link.open'], limit: 100 });
const kept = () => fs.readdirSync(stage.folder);

/** Counts what is asked of the database. */
function counting() {
  let count = 0;
  const database = stage.database.$extends({
    query: {
      $allModels: {
        $allOperations: ({ args, query }) => {
          count += 1;
          return query(args);
        },
      },
    },
  }) as unknown as Database;
  const taken = () => {
    const before = count;
    count = 0;
    return before;
  };
  return { database, taken };
}

/** A phone that has pressed "Xem". */
async function viewer(local: string) {
  const one = phone();
  expect((await one.press(local)).status).toBe(303);
  return one;
}

describe('a link', () => {
  it('shows nothing before the button is pressed, and then what it is', async () => {
    const { local, made } = await stage.send([{ ...clip(), caption: 'Camera 1 Cổng chợ\nThiếu 3 giây' }]);
    expect(made.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/m\/[\w-]{43}$/);
    const mine = phone();
    const before = await (await mine.get(local)).text();
    expect(before).toContain('<button class="big">Xem</button>');
    expect(before).not.toMatch(/Cổng chợ|video src|poster|Phạm Văn Cán|812/);
    const pressed = await mine.press(local);
    expect([pressed.status, pressed.headers.get('location')]).toEqual([303, new URL(local).pathname]);
    expect(pressed.headers.get('set-cookie')).toMatch(
      /^xem=[\w-]{43}; Max-Age=86400; Path=\/m\/[\w-]{43}; Expires=[^;]+; HttpOnly; SameSite=Lax$/,
    );
    const page = await (await mine.get(local)).text();
    for (const words of [
      'Camera 1 Cổng chợ',
      '14:30:00–14:30:30, thứ bảy 21/11/2026',
      'Thiếu 3 giây',
      'Đại úy Phạm Văn Cán',
      '812',
      '14:40, chủ nhật 22/11/2026',
      'Tải về máy',
    ])
      expect(page).toContain(words);
    expect(page).not.toContain('<script');
    expect((await mine.get(`${local}/1`)).status).toBe(200);
  });

  it('says to nobody but its viewer where it led, and lets nothing run or be kept', async () => {
    const { local } = await stage.send([clip()]);
    const mine = await viewer(local);
    for (const where of [local, `${local}/1`, `${local}/1/tai-ve`, `${stage.url}/m/${'A'.repeat(43)}`]) {
      const { headers } = await mine.get(where);
      expect(headers.get('cache-control')).toBe('private, no-store');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('x-robots-tag')).toContain('noindex');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      const policy = headers.get('content-security-policy') ?? '';
      expect(policy).toContain("default-src 'none'");
      expect(policy).not.toMatch(/script-src|unsafe|connect-src/);
    }
  });

  it('keeps only hashes of token, cookie and PIN', async () => {
    await stage.restart({ pinDigits: 6 });
    const { token, made, local } = await stage.send([clip()]);
    const mine = phone();
    await mine.press(local, { pin: made.pin! });
    const stored = JSON.stringify(
      [await stage.database.token.findMany(), await stage.database.viewer.findMany()],
      (_, value) => (typeof value === 'bigint' ? String(value) : value),
    );
    expect(mine.cookie).toMatch(/^xem=[\w-]{43}$/);
    for (const secret of [token, mine.cookie.slice(4), `"${made.pin}"`]) expect(stored).not.toContain(secret);
  });

  it('is downloaded under a name that says what it is', async () => {
    const { local } = await stage.send([clip()]);
    const mine = await viewer(local);
    const answer = await mine.get(`${local}/1/tai-ve`);
    expect(answer.headers.get('content-disposition')).toBe(
      `attachment; filename="Camera_1_Cong_cho_2026-11-21_14h30m00.mp4"; filename*=UTF-8''${encodeURIComponent('Camera 1 Cổng chợ 2026-11-21 14h30m00.mp4')}`,
    );
    expect(Buffer.from(await answer.arrayBuffer())).toEqual(BYTES);
    expect((await mine.get(`${local}/1`)).headers.get('content-disposition')).toMatch(/^inline/);
  });

  it('never lets a page run as ours', async () => {
    const { local } = await stage.send([{ fileName: 'trang.html', content: '<script>1</script>' }]);
    const answer = await (await viewer(local)).get(`${local}/1`);
    expect(answer.headers.get('content-type')).toBe('application/octet-stream');
    expect(answer.headers.get('content-disposition')).toMatch(/^attachment/);
  });

  it('shows several files, each with its words, as text', async () => {
    const { local } = await stage.send([
      clip(),
      { fileName: 'anh.jpg', content: 'x', caption: 'Người lạ <b>áo đỏ</b>' },
      { fileName: 'bien-ban.pdf', content: 'x' },
    ]);
    const page = await (await (await viewer(local)).get(local)).text();
    expect(page).toContain('3 tệp gửi cho anh/chị');
    expect(page).toContain(`<img class="shot" src="${new URL(local).pathname}/2"`);
    expect(page).toContain('Người lạ &#60;b&#62;áo đỏ&#60;/b&#62;');
    expect(page.match(/tai-ve/g)).toHaveLength(3);
  });

  it('that was sent as /f/ before there were pages leads to its page', async () => {
    const { token } = await stage.send([clip()]);
    const answer = await fetch(`${stage.url}/f/${token}`, { redirect: 'manual' });
    expect([answer.status, answer.headers.get('location')]).toEqual([301, `/m/${token}`]);
  });
});

describe('ranges', () => {
  it('are the bytes that were asked for, whatever is asked', async () => {
    const { local } = await stage.send([clip()]);
    await stage.restart({ perMinute: 100_000 });
    const mine = await viewer(local);
    const size = BYTES.length;
    const position = fc.integer({ min: 0, max: size + 50 });
    const asked = fc.oneof(
      fc
        .record({ from: position, to: position })
        .map(({ from, to }) => ({ from, to, text: `${from}-${to}` })),
      position.map((from) => ({ from, to: size - 1, text: `${from}-` })),
      fc
        .integer({ min: 1, max: size + 50 })
        .map((last) => ({ from: Math.max(0, size - last), to: size - 1, text: `-${last}` })),
    );
    await fc.assert(
      fc.asyncProperty(asked, async ({ from, to, text }) => {
        const answer = await mine.get(`${local}/1`, { range: `bytes=${text}` });
        const body = Buffer.from(await answer.arrayBuffer());
        // the other way round it is no range at all, and is left unheard or refused
        if (from > to && from < size) {
          expect([200, 416]).toContain(answer.status);
          return;
        }
        if (from >= size) {
          expect([answer.status, answer.headers.get('content-range')]).toEqual([416, `bytes */${size}`]);
          return;
        }
        const end = Math.min(to, size - 1);
        expect(answer.status).toBe(206);
        expect(answer.headers.get('content-range')).toBe(`bytes ${from}-${end}/${size}`);
        expect(body.equals(BYTES.subarray(from, end + 1))).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  it('HEAD tells of the file and gives nothing of it', async () => {
    const { local } = await stage.send([clip()]);
    const mine = await viewer(local);
    const answer = await fetch(`${local}/1`, { method: 'HEAD', headers: { cookie: mine.cookie } });
    expect([
      answer.status,
      answer.headers.get('content-length'),
      answer.headers.get('accept-ranges'),
    ]).toEqual([200, '1000', 'bytes']);
    expect(await answer.text()).toBe('');
  });

  it('go on where a download broke off, as long as it is the same file', async () => {
    const { local } = await stage.send([clip()]);
    const mine = await viewer(local);
    const etag = (await mine.get(`${local}/1/tai-ve`)).headers.get('etag')!;
    const rest = (ifRange: string) =>
      mine.get(`${local}/1/tai-ve`, { range: 'bytes=600-', 'if-range': ifRange });
    expect((await rest(etag)).status).toBe(206);
    expect((await rest('"another"')).status).toBe(200);
  });
});

describe('who fetches previews', () => {
  const BOTS = [
    'TelegramBot (like TwitterBot)',
    'facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)',
    'ZaloBot/1.0 Mozilla/5.0',
    'WhatsApp/2.23',
  ];

  it('sees a neutral page, takes nothing away and gets no picture', async () => {
    const content = await film(path.join(stage.dir, 'film.mp4'));
    const { local } = await stage.send([clip(content)]);
    for (const agent of BOTS) {
      const bot = phone();
      const page = await (await bot.get(local, { 'user-agent': agent })).text();
      expect(page).toContain(
        '<meta property="og:title" content="Mắt Thần: một đoạn video được gửi cho anh/chị">',
      );
      expect(page).not.toMatch(/og:image|og:video|Cổng chợ|\/hinh/);
      expect((await fetch(local, { method: 'HEAD', headers: { 'user-agent': agent } })).status).toBe(200);
      for (const file of ['1', '1/hinh', '1/tai-ve'])
        expect((await bot.get(`${local}/${file}`)).status).toBe(303);
    }
    expect(await openings()).toEqual([]);
    const mine = await viewer(local);
    const poster = await mine.get(`${local}/1/hinh`);
    expect([poster.status, poster.headers.get('content-type')]).toEqual([200, 'image/jpeg']);
  });
});

describe('a link that does not open', () => {
  it('says why to who has it, and looks alike from outside: status, headers, work done', async () => {
    const expired = await stage.send([clip()]);
    stage.clock.ms += 25 * HOUR;
    const revoked = await stage.send([clip()]);
    await revokeLinks(stage.database, [2], stage.clock.ms);
    const taken = await stage.send([clip()]);
    await viewer(taken.local);
    const { database, taken: asked } = counting();
    await stage.restart({ database });
    const seen = [];
    for (const [address, words] of [
      [`${stage.url}/m/${'A'.repeat(43)}`, 'Không có gì ở đường dẫn này'],
      [`${stage.url}/m/x`, 'Không có gì ở đường dẫn này'],
      [`${stage.url}/m/..%2f..%2fx`, 'Không có gì ở đường dẫn này'],
      [expired.local, 'đã hết hạn'],
      [revoked.local, 'được thu lại'],
      [taken.local, 'đã mở trên một máy khác'],
    ] as const)
      for (const method of ['GET', 'POST']) {
        const answer = await fetch(address, { method, redirect: 'manual', headers: { origin: 'null' } });
        const text = await answer.text();
        expect(text).toContain(words);
        expect(text).toContain('nhắn lại yêu cầu');
        const headers = [...answer.headers.keys()].filter((name) => !/^(date|ratelimit)/.test(name));
        seen.push(JSON.stringify([answer.status, headers, asked()]));
      }
    expect(new Set(seen)).toEqual(new Set([seen[0]]));
    expect(JSON.parse(seen[0]!)[0]).toBe(410);
  });

  it('ends at its time', async () => {
    const { local } = await stage.send([clip()]);
    const mine = await viewer(local);
    stage.clock.ms += 24 * HOUR - 1;
    expect((await mine.get(`${local}/1`)).status).toBe(200);
    stage.clock.ms += 1;
    expect((await mine.get(`${local}/1`)).status).toBe(410);
    expect((await mine.get(local)).status).toBe(410);
  });

  it('ends with the rights it was asked with', async () => {
    const { local } = await stage.send([clip()]);
    const mine = await viewer(local);
    await setRole(stage.database, await stage.personId('canbo'), 'household');
    const answer = await mine.get(local);
    expect([answer.status, await answer.text()]).toEqual([410, expect.stringContaining('được thu lại')]);
    expect((await mine.get(`${local}/1`)).status).toBe(410);
  });

  it('says so when its file is gone', async () => {
    const { local } = await stage.send([clip(), clip()]);
    const mine = await viewer(local);
    const [gone] = (
      JSON.parse((await stage.database.token.findFirstOrThrow()).payload) as { files: { stored: string }[] }
    ).files;
    fs.rmSync(path.join(stage.folder, gone!.stored));
    const page = await (await mine.get(local)).text();
    expect(page).toContain('Tệp này không còn trên máy chủ');
    expect(page.match(/tai-ve/g)).toHaveLength(1);
    const answer = await mine.get(`${local}/1`);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([410, 'text/html; charset=utf-8']);
    expect((await mine.get(`${local}/2`)).status).toBe(200);
    for (const none of ['0', '3', '-1', 'x', '1e0'])
      expect((await mine.get(`${local}/${none}`)).status).toBe(410);
  });
});

describe('while it plays', () => {
  /** Reads a large file as slowly as a player does; resolves to how that ended. */
  async function slowly(local: string, cookie: string) {
    const response = await new Promise<http.IncomingMessage>((resolve, reject) =>
      http.get(`${local}/1`, { headers: { cookie } }, resolve).on('error', reject),
    );
    const reading = setInterval(() => void response.read(65_536), 20);
    const end = new Promise<'whole' | 'cut'>((resolve) => {
      response.on('error', () => resolve('cut'));
      response.on('close', () => resolve(response.complete ? 'whole' : 'cut'));
    }).finally(() => clearInterval(reading));
    return { end, hurry: () => void response.resume() };
  }

  it.each(['expiry', 'revocation', 'end of rights'] as const)('%s cuts it off', async (what) => {
    await stage.restart({ recheckMs: 20 });
    const { local } = await stage.send([clip(Buffer.alloc(64_000_000))]);
    const mine = await viewer(local);
    const { end } = await slowly(local, mine.cookie);
    if (what === 'expiry') stage.clock.ms += 24 * HOUR;
    else if (what === 'revocation') await revokeLinks(stage.database, 'all', NOW);
    else await setRole(stage.database, await stage.personId('canbo'), 'household');
    expect(await end).toBe('cut');
  });

  it('nothing else does', async () => {
    const { database, taken } = counting();
    await stage.restart({ recheckMs: 5, database });
    const { local } = await stage.send([clip(Buffer.alloc(8_000_000))]);
    const { end, hurry } = await slowly(local, (await viewer(local)).cookie);
    taken();
    let asked = 0;
    const sum = () => {
      asked += taken();
      return asked;
    };
    await expect.poll(sum, { timeout: 10_000 }).toBeGreaterThan(20);
    hurry();
    expect(await end).toBe('whole');
  });
});

describe('two phones', () => {
  it('one device: the first keeps it, the second is told to ask for its own', async () => {
    const { local } = await stage.send([clip()]);
    const first = await viewer(local);
    const second = phone();
    for (const answer of [await second.get(local), await second.press(local), await second.get(`${local}/1`)])
      expect([answer.status, await answer.text()]).toEqual([
        410,
        expect.stringContaining('đã mở trên một máy khác'),
      ]);
    expect((await first.get(`${local}/1`)).status).toBe(200);
  });

  it('one device: of ten that press at the same moment one gets in', async () => {
    const { local } = await stage.send([clip()]);
    const pressed = await Promise.all(Array.from({ length: 10 }, () => phone().press(local)));
    expect(pressed.map((answer) => answer.status).sort()).toEqual([303, ...Array(9).fill(410)]);
    expect(await openings()).toHaveLength(1);
  });

  it('one device: also when the store is asked ten times before it has answered once', async () => {
    const { token } = await stage.send([clip()]);
    const asked = Array.from({ length: 10 }, () => addViewer(stage.database, hashToken(token), 1, NOW));
    expect((await Promise.all(asked)).filter((cookie) => cookie !== null)).toHaveLength(1);
  });

  it('any device, and any link to a group: both get in', async () => {
    await stage.restart({ oneDevice: false });
    const { local } = await stage.send([clip()]);
    await stage.restart({ oneDevice: true, pinDigits: 4 });
    const group = await stage.send([clip()], { to: { channel: 'console', chatId: 'nhom-canbo' } });
    expect(group.made.pin).toBeUndefined();
    for (const address of [local, group.local]) {
      await viewer(address);
      await viewer(address);
    }
    expect(await openings()).toHaveLength(4);
  });

  it("a cookie of one link opens no other's files", async () => {
    const [one, other] = [await stage.send([clip()]), await stage.send([clip()])];
    const mine = await viewer(one.local);
    expect((await mine.get(`${other.local}/1`)).status).toBe(303);
  });
});

describe('a PIN', () => {
  beforeEach(() => stage.restart({ pinDigits: 4 }));
  const wrongOf = (pin: string) => String((Number(pin) + 1) % 10_000).padStart(4, '0');

  it('opens, and a wrong one does not', async () => {
    const { made, local } = await stage.send([clip()]);
    expect(made.pin).toMatch(/^\d{4}$/);
    const mine = phone();
    expect(await (await mine.get(local)).text()).toContain('inputmode="numeric"');
    for (const pin of [wrongOf(made.pin!), '', 'abcd']) {
      const answer = await mine.press(local, { pin });
      expect([answer.status, await answer.text()]).toEqual([403, expect.stringContaining('Mã chưa đúng')]);
    }
    expect((await mine.press(local, { pin: ` ${made.pin} ` })).status).toBe(303);
    expect((await mine.get(`${local}/1`)).status).toBe(200);
  });

  it('five wrong ones lock it for good, over a restart, and the right one comes too late', async () => {
    const { made, local } = await stage.send([clip()]);
    for (let at = 0; at < 3; at += 1) await phone().press(local, { pin: wrongOf(made.pin!) });
    await stage.restart();
    expect((await phone().press(local, { pin: wrongOf(made.pin!) })).status).toBe(403);
    expect((await phone().press(local, { pin: wrongOf(made.pin!) })).status).toBe(410);
    await stage.restart();
    const answer = await phone().press(local, { pin: made.pin! });
    expect([answer.status, await answer.text()]).toEqual([410, expect.stringContaining('bị khóa')]);
    expect(await openings()).toMatchObject([{ result: 'locked' }]);
  });

  it('many at once are no more tries', async () => {
    const { made, local, token } = await stage.send([clip()]);
    const tries = await Promise.all(
      Array.from({ length: 30 }, () => tryPin(stage.database, token, wrongOf(made.pin!))),
    );
    expect(tries.filter((tried) => tried === 'wrong').length).toBeLessThanOrEqual(5);
    expect((await stage.database.token.findFirstOrThrow()).pinTries).toBe(5);
    expect((await phone().press(local, { pin: made.pin! })).status).toBe(410);
  });
});

describe('the log', () => {
  it('has one line for an opening, however often the player asks, and no address in full', async () => {
    const { local } = await stage.send([clip()]);
    const mine = await viewer(local);
    for (let at = 0; at < 20; at += 1) await mine.get(`${local}/1`, { range: `bytes=${at}-` });
    await mine.get(local);
    expect(await openings()).toMatchObject([
      {
        personId: await stage.personId('canbo'),
        personName: 'Đại úy Phạm Văn Cán',
        cameraId: 1,
        startMs: MARKET.startMs,
        endMs: MARKET.endMs,
        place: 'web:link',
        result: 'ok',
        detail: 'số 1, mạng 127.0.x.x',
      },
    ]);
  });

  it.each([
    ['113.160.24.7', '113.160.x.x'],
    ['::ffff:113.160.24.7', '113.160.x.x'],
    ['2402:800:61b3:77aa::1', '2402:800:…'],
    ['2001:ee0::1', '2001:ee0:…'],
    ['::1', 'máy này'],
    ['', 'máy này'],
  ])('keeps of %s only %s', (address, network) => expect(coarseNetwork(address)).toBe(network));
});

describe('forged headers', () => {
  const forged = {
    'x-forwarded-for': '113.160.24.7',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-proto': 'https',
  };

  it('are not believed', async () => {
    const { local } = await stage.send([clip()]);
    const answer = await phone().press(local, {}, forged);
    expect(answer.headers.get('location')).toBe(new URL(local).pathname);
    expect(answer.headers.get('set-cookie')).not.toContain('Secure');
    expect(answer.headers.get('strict-transport-security')).toBeNull();
    expect((await openings())[0]?.detail).toContain('127.0.x.x');
  });

  it('open no second allowance of requests', async () => {
    await stage.restart({ perMinute: 3 });
    const { local } = await stage.send([clip()]);
    const answers = [];
    for (let at = 0; at < 5; at += 1)
      answers.push((await phone().get(local, { 'x-forwarded-for': `113.160.24.${at}` })).status);
    expect(answers).toEqual([200, 200, 200, 429, 429]);
  });

  it('are believed of the proxy that TRUST_PROXY names, and only its own word', async () => {
    await stage.restart({ perMinute: 3 }, { trustProxy: 'loopback' });
    const { local } = await stage.send([clip()]);
    await phone().press(local, {}, { 'x-forwarded-for': '8.8.8.8, 113.160.24.7' });
    expect((await openings())[0]?.detail).toContain('113.160.x.x');
    await stage.restart({ perMinute: 3 }, { trustProxy: '10.8.0.1' });
    const other = await stage.send([clip()]);
    await phone().press(other.local, {}, { 'x-forwarded-for': '113.160.24.7' });
    expect((await openings())[0]?.detail).toContain('127.0.x.x');
  });
});

it('is asked only so often in a minute, from all addresses together', async () => {
  await stage.restart({ perMinute: 10_000 }, { trustProxy: 'loopback' });
  const { local } = await stage.send([clip()]);
  const statuses = [];
  for (let at = 0; at < 301; at += 1)
    statuses.push((await phone().get(local, { 'x-forwarded-for': `113.160.${at % 200}.7` })).status);
  expect(statuses.indexOf(429)).toBe(300);
});

it('guessing gets nowhere, and is slowed down', async () => {
  await stage.send([clip()]);
  const statuses = new Set<number>();
  for (let at = 0; at < 320; at += 1)
    statuses.add((await fetch(`${stage.url}/m/${String(at).padStart(43, 'A')}`)).status);
  expect([...statuses]).toEqual([410, 429]);
});

describe('on https', () => {
  it('the cookie is for https only', async () => {
    await stage.restart({ base: () => ({ url: 'https://mat-than.example', lan: false }) });
    const { local } = await stage.send([clip()]);
    expect((await phone().press(local)).headers.get('set-cookie')).toMatch(/^__Secure-xem=.*; Secure;/);
  });
});

describe('without a public name', () => {
  it('a link on the office’s net goes to who comes there, and says so', async () => {
    await stage.restart({ base: () => ({ url: 'http://192.168.1.5:8600', lan: true }) });
    const file = path.join(stage.dir, 'x.mp4');
    fs.writeFileSync(file, 'x');
    const make = async (chatId: string, alias: string | null, role: 'officer' | 'household') =>
      stage.links.make([{ path: file, sizeBytes: 1, fileName: 'x.mp4' }], {
        to: { channel: 'console', chatId },
        inboxId: null,
        only: alias === null ? {} : { asker: { personId: await stage.personId(alias), role } },
      });
    const made = await make('canbo', 'canbo', 'officer');
    expect(made?.url).toMatch(/^http:\/\/192\.168\.1\.5:8600\/m\//);
    expect(made?.note).toContain('cùng mạng với trụ sở');
    expect(await make('nhom-canbo', null, 'officer')).not.toBeNull();
    expect(await make('ho', 'ho', 'household')).toBeNull();
    expect(await make('nhom-chung', null, 'officer')).toBeNull();
    await stage.restart({ base: () => null });
    expect(await make('canbo', 'canbo', 'officer')).toBeNull();
  });
});

describe('the files behind links', () => {
  it('go when their link is over, and when no link knows them; the row stays to say why', async () => {
    const content = await film(path.join(stage.dir, 'film.mp4'));
    const { local } = await stage.send([clip(content)]);
    const orphan = path.join(stage.folder, 'orphan.mp4');
    fs.writeFileSync(orphan, 'x');
    await stage.links.sweep();
    expect(kept()).toHaveLength(3);
    fs.utimesSync(orphan, new Date(0), new Date(0));
    await stage.links.sweep();
    // the clip and its poster
    expect(kept()).toHaveLength(2);
    await revokeLinks(stage.database, [1], NOW);
    await stage.links.sweep();
    expect(kept()).toEqual([]);
    expect(await (await fetch(local)).text()).toContain('được thu lại');
  });
});
