/** An index that is gone or broken, at the start and while the recorder runs. */
import { open, rename, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { createClient } from '@libsql/client';
import { migrateIndex } from '../../src/migrate.js';
import { eventually } from '../../test/support/product.js';
import { projectRoot } from '../../test/support/project-root.js';
import { lives } from '../processes.js';
import type { Campaign, Round } from './campaign.js';
import { ffmpegsOf, untilAgreed } from './checker.js';
import { PARENT_WAITS_MS } from './kills.js';
import { openStage, type Stage } from './stage.js';

const PAGE = 4096;
/** A running recorder has got over a broken index after this, ms. */
const OVER_IT_MS = 60_000;

const indexOf = (stage: Stage) => join(stage.recorder.folder, 'recorder.db');

async function lose(stage: Stage): Promise<void> {
  for (const end of ['', '-wal', '-shm']) await rm(`${indexOf(stage)}${end}`, { force: true });
}

/** Breaks the database file: its head, its end, or some of its pages. Gives back how. */
async function breakIndex(file: string, random: () => number): Promise<string> {
  // else the newest pages lie in the log beside it, and what is broken here is never looked at
  const database = createClient({ url: `file:${file}` });
  await database.execute('PRAGMA wal_checkpoint(TRUNCATE)').finally(() => database.close());
  const { size } = await stat(file);
  const how = ['head', 'end', 'pages'][Math.floor(random() * 3)]!;
  if (how === 'end') {
    await truncate(file, Math.floor(random() * size));
    return how;
  }
  const handle = await open(file, 'r+');
  const junk = () => Buffer.from(Array.from({ length: PAGE }, () => Math.floor(random() * 256)));
  if (how === 'head') await handle.write(junk(), 0, 100, 0);
  else
    for (let n = 0; n < 8; n += 1)
      await handle.write(junk(), 0, PAGE, PAGE * (1 + Math.floor(random() * (size / PAGE - 1))));
  await handle.close();
  return how;
}

/** Starts it as the parent of the whole product does, and proves that nothing but causes is lost. */
async function startedAgain(stage: Stage, orphans: number[]): Promise<Round> {
  const cameras = stage.ids.join(' ');
  await migrateIndex(projectRoot, indexOf(stage));
  await stage.recorder.restart();
  const readyMs = Date.now();
  const wrong = await untilAgreed(stage, { readyMs });
  const agreedMs = Date.now() - readyMs;
  const back = (await stage.recorder.client.cameras()).map(({ id }) => id).sort();
  if (back.join(' ') !== cameras) wrong.push(`of the cameras ${cameras} there are ${back.join(' ')}`);
  await stage.recording();
  const againMs = Date.now() - readyMs;
  // of gaps from before only what is beside the recordings is known
  wrong.push(...(await stage.check({ readyMs, ended: orphans, causesLostMs: Date.now() })));
  return {
    figures: { 'index and files agree after': [agreedMs], 'recording again after': [againMs] },
    wrong,
  };
}

async function killed(stage: Stage, random: () => number): Promise<number[]> {
  await stage.recording();
  await wait(random() * 4000);
  const orphans = await ffmpegsOf(stage.recorder.pid);
  await stage.recorder.kill();
  await wait(PARENT_WAITS_MS);
  return orphans;
}

const AGREE_BAR = { 'index and files agree after': 5000 };

export const lostIndex: Campaign = {
  what: 'the recorder killed and its index deleted',
  ...{ rounds: 60, lanes: 3, roundsAPlace: 10, needs: [], bars: AGREE_BAR },
  async open({ patience }) {
    const stage = await openStage({ patience });
    return {
      async round(random) {
        const orphans = await killed(stage, random);
        await lose(stage);
        return startedAgain(stage, orphans);
      },
      close: stage.close,
    };
  },
};

/** The index is older than this then, ms: more than it may be behind after an ordinary end. */
const OLDER_MS = 11_000;

export const olderIndex: Campaign = {
  what: 'the recorder killed and its index replaced by a copy from some time before',
  ...{ rounds: 60, lanes: 3, roundsAPlace: 10, needs: [], bars: AGREE_BAR },
  async open({ patience }) {
    const stage = await openStage({ patience });
    return {
      async round(random) {
        const copy = `${indexOf(stage)}.older`;
        await rm(copy, { force: true });
        const database = createClient({ url: `file:${indexOf(stage)}` });
        await database.execute({ sql: 'VACUUM INTO ?', args: [copy] }).finally(() => database.close());
        await stage.recording();
        if (random() < 0.5) {
          await stage.recorder.kill();
          await wait(PARENT_WAITS_MS);
          await stage.recorder.restart();
        }
        await wait(OLDER_MS);
        const orphans = await killed(stage, random);
        await lose(stage);
        await rename(copy, indexOf(stage));
        return startedAgain(stage, orphans);
      },
      close: stage.close,
    };
  },
};

export const corruptIndex: Campaign = {
  what: 'the recorder killed and its index broken (head, end or some pages)',
  ...{ rounds: 60, lanes: 3, roundsAPlace: 10, needs: [], bars: AGREE_BAR },
  async open({ patience }) {
    const stage = await openStage({ patience });
    return {
      async round(random) {
        const orphans = await killed(stage, random);
        const how = await breakIndex(indexOf(stage), random);
        const round = await startedAgain(stage, orphans);
        return { ...round, wrong: round.wrong.map((line) => `${how} broken: ${line}`) };
      },
      close: stage.close,
    };
  },
};

export const corruptRunningIndex: Campaign = {
  what: 'the index broken (head, end or some pages) under the running recorder, which the parent starts again if it ends',
  ...{ rounds: 60, lanes: 3, roundsAPlace: 5, needs: [], bars: {} },
  async open({ patience }) {
    const stage = await openStage({ patience });
    return {
      async round(random) {
        await stage.recording();
        await wait(random() * 4000);
        const { recorder } = stage;
        const brokenMs = Date.now();
        const how = await breakIndex(indexOf(stage), random);
        await eventually(
          `the recorder is over its index, ${how} broken`,
          async () => {
            if (!lives(recorder.pid)) await startAgain(stage);
            const infos = await recorder.client.cameras();
            const records = infos.every(
              (one) => one.state === 'recording' && (one.newestFrameMs ?? 0) > brokenMs,
            );
            return (
              infos.length === stage.ids.length && records && (await untilAgreed(stage, {})).length === 0
            );
          },
          OVER_IT_MS,
        );
        const overItMs = Date.now() - brokenMs;
        const wrong = await stage.check({ causesLostMs: Date.now() });
        return {
          figures: { 'over it after': [overItMs] },
          wrong: wrong.map((line) => `${how} broken: ${line}`),
        };
      },
      close: stage.close,
    };
  },
};

/** As the parent starts a service that ended. */
async function startAgain({ recorder }: Stage): Promise<void> {
  await wait(PARENT_WAITS_MS);
  await recorder.restart();
}
