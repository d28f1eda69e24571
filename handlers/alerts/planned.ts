import { inTransaction } from '../../src/store/database.js';
import { markTold, markToldBack } from '../../src/store/outages.js';
import { personById } from '../../src/store/people.js';
import { dropSetting, readFact, writeFact } from '../../src/store/settings.js';
import type { House } from '../house.js';
import { officersChats, recipientName } from './recipients.js';

/** What the technicians of a camera hear in private beside what the officers hear. */
export interface Aside {
  key: string;
  text: string;
  personIds: number[];
}

/** Something to be said, written down before it is said: a crash in between says it once all the same. */
export interface Planned {
  key: string;
  text: string;
  digest: string | null;
  told: number[];
  toldBack: number[];
  asides: Aside[];
  /** facts to keep (value) or forget (null) once it is said */
  facts: Record<string, unknown>;
}

/** Says one thing to the officers, once. */
export type Say = (planned: Partial<Planned> & Pick<Planned, 'key' | 'text'>) => Promise<void>;

const PLANNED = 'alerts.planned';

/** How alerts are said: `say`, and `finish` for what a crash left half said. */
export function makeSay(house: House): { say: Say; finish(): Promise<void> } {
  const { db, clock, log } = house;

  /** Says what is planned, then marks it: repeated after a crash, the outbox knows the key. */
  async function carryOut(planned: Planned): Promise<void> {
    const { chats } = await officersChats(db);
    const digest = planned.digest === null ? {} : { digest: planned.digest };
    for (const chat of chats)
      await house.tell(chat, planned.text, {
        ...{ key: `${planned.key}:${recipientName(chat)}`, priority: 'alert' },
        ...digest,
      });
    // an old alert is no news when somebody turns up days later: it is not kept for those out of reach
    for (const { key, text, personIds } of planned.asides)
      for (const personId of personIds)
        if (await house.reaches(personId))
          await house.tell({ personId }, text, { key: `${key}:${personId}`, priority: 'alert', ...digest });
    const nowMs = clock.now();
    await inTransaction(db, async (tx) => {
      await markTold(tx, planned.told, nowMs);
      await markToldBack(tx, planned.toldBack, nowMs);
      for (const [key, value] of Object.entries(planned.facts))
        if (value === null) await dropSetting(tx, key);
        else await writeFact(tx, key, value);
      await dropSetting(tx, PLANNED);
    });
    if (chats.length === 0) log.warn({ alert: planned.key }, 'alert without anybody to hear it');
  }

  return {
    async say(planned) {
      const whole: Planned = { digest: null, told: [], toldBack: [], asides: [], facts: {}, ...planned };
      await writeFact(db, PLANNED, whole);
      await carryOut(whole);
    },
    async finish() {
      const left = await readFact<Planned>(db, PLANNED);
      // a version before wrote none
      if (left !== null) await carryOut({ ...left, asides: left.asides ?? [] });
    },
  };
}

/** Those of the assigned people who are technicians still. */
export async function techniciansOf(house: House, personIds: readonly number[]): Promise<number[]> {
  const people = await Promise.all(personIds.map((id) => personById(house.db, id)));
  return people.flatMap((person) => (person?.role === 'technician' ? [person.id] : []));
}
