import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { killBot } from '../../bench/bot-kills.js';
import { projectRoot } from '../support/project-root.js';

beforeAll(() => {
  const built = spawnSync(process.execPath, [path.join(projectRoot, 'src/bin/build.mjs')], {
    encoding: 'utf8',
  });
  expect(built.status, built.stderr).toBe(0);
}, 120_000);

it('the whole bot, killed at any moment: no command lost, no gift booked twice, no answer missing', async () => {
  const outcome = await killBot({ kills: 8, seed: 20, patience: 60 });
  expect(outcome).toMatchObject({
    lostMessages: 0,
    lostEffects: 0,
    doubledEffects: 0,
    missingReplies: 0,
    duplicatesWithoutKill: 0,
    disordered: 0,
    strange: [],
  });
  expect(outcome.messages).toBeGreaterThan(20);
  // answers were owed when the kills came
  expect(outcome.underWay).toBeGreaterThan(0);
  // what the platform had taken and we had not recorded yet: the one window there is
  expect(outcome.mostDuplicatesPerKill).toBeLessThanOrEqual(1);
}, 120_000);
