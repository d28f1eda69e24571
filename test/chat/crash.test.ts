import { expect, it } from 'vitest';
import { crashBot } from '../support/bot-crash.js';

it('killed at any moment: nothing lost, no effect twice, no reply missing, order kept', async () => {
  const outcome = await crashBot({ kills: 20, messagesPerLife: 12, chats: 6, repliesBeforeKill: 20 });
  console.log(JSON.stringify({ ...outcome, restartMs: Math.round(Math.max(...outcome.restartMs)) }));
  expect(outcome).toMatchObject({
    messages: 240,
    lostChanges: 0,
    doubledChanges: 0,
    missingReplies: 0,
    disordered: 0,
    wrongFiles: 0,
    toldToNobody: 0,
    setAside: 0,
    spoolLeft: 0,
  });
  // messages were under way when the kills came
  expect(outcome.repliesPerLife.filter((replies) => replies > 0).length).toBeGreaterThan(outcome.kills / 2);
  // a message the platform had taken but we had not recorded yet: the one window there is
  expect(outcome.mostDuplicatesPerKill).toBeLessThanOrEqual(1);
  // many were gathered; alone and gathered are those alone that just went when a kill came
  expect(outcome.digests).toBeGreaterThan(2);
  expect(outcome.toldTwoWays).toBeLessThanOrEqual(outcome.kills);
}, 180_000);
