import type { RecorderClient } from '../../media/types.js';
import type { Role } from '../base/roles.js';
import { addCamera, assign, listCameras } from '../store/cameras.js';
import { type Database, inTransaction } from '../store/database.js';
import { addDonation, donationTotal } from '../store/donations.js';
import { ensureGroup } from '../store/groups.js';
import { ensurePerson } from '../store/people.js';
import { changeSite, ensureHamlet, ensureSite } from '../store/places.js';

/** The demo commune: made-up people in a place like Cẩm Lương. */
const HAMLETS = ['Thôn 1', 'Thôn 2', 'Thôn 3', 'Thôn 4'];

export const PEOPLE: { alias: string; name: string; role: Role; hamlet: string | null }[] = [
  { alias: 'truong', name: 'Trung tá Lê Văn Trường', role: 'chief', hamlet: null },
  { alias: 'canbo', name: 'Đại úy Phạm Minh Tuấn', role: 'officer', hamlet: null },
  { alias: 'thon1', name: 'Bùi Văn Hiền', role: 'hamletHead', hamlet: 'Thôn 1' },
  { alias: 'kythuat', name: 'Trần Quốc Việt', role: 'technician', hamlet: null },
  { alias: 'ho', name: 'Nguyễn Thị Hòa', role: 'household', hamlet: 'Thôn 1' },
  { alias: 'nguoiungho', name: 'Phạm Thị Lan', role: 'donor', hamlet: null },
  { alias: 'khach', name: 'Khách qua đường', role: 'guest', hamlet: null },
];

export const GROUPS = [
  { chatId: 'nhom-canbo', title: 'Công an xã (nhóm cán bộ)', purpose: 'officers', hamlet: null },
  { chatId: 'nhom-thon1', title: 'Bà con Thôn 1', purpose: 'hamlet', hamlet: 'Thôn 1' },
  { chatId: 'nhom-chung', title: 'Nhóm chung toàn xã', purpose: 'public', hamlet: null },
] as const;

const CAMERAS = [
  {
    number: 1,
    name: 'Ngã ba chợ',
    hamlet: 'Thôn 2',
    spot: [20.2301, 105.4102],
    url: 'test:street',
    line: 'VNPT chợ',
  },
  {
    number: 2,
    name: 'Cổng trường tiểu học',
    hamlet: 'Thôn 3',
    spot: [20.2334, 105.4149],
    url: 'test:school',
    line: 'Viettel trường học',
  },
  {
    number: 3,
    name: 'Cầu Cẩm Lương',
    hamlet: 'Thôn 4',
    spot: [20.2389, 105.4071],
    url: 'test:bridge',
    line: 'Viettel nhà ông Bình',
  },
  {
    number: 4,
    name: 'Nhà văn hóa thôn 1',
    hamlet: 'Thôn 1',
    spot: [20.2275, 105.4188],
    url: 'test:yard',
    line: 'FPT nhà văn hóa',
  },
] as const;

/** Cameras that the demo's technician looks after. */
const ASSIGNED = [1, 3];

const DONORS: [string, number, string | null][] = [
  ['Phạm Thị Lan', 2_000_000, 'nguoiungho'],
  ['Gia đình ông Bùi Văn Thắng', 500_000, null],
  ['Hội đồng hương Cẩm Lương tại Hà Nội', 10_000_000, null],
  ['Chị Nguyễn Thị Hạnh', 300_000, null],
];

const CHANNEL = 'console';

/**
 * Fills an empty demo: people with open private chats, groups, four cameras in the store and on the recorder, a few
 * gifts. Repeated, it adds what is missing and changes nothing else.
 */
export async function seedDemo(demo: {
  db: Database;
  recorder: RecorderClient;
  nowMs: number;
}): Promise<void> {
  const { db, recorder, nowMs } = demo;
  await inTransaction(db, async (tx) => {
    const hamlets = new Map<string, number>();
    for (const name of HAMLETS) hamlets.set(name, (await ensureHamlet(tx, name)).id);
    const hamletId = (name: string | null) => (name === null ? null : (hamlets.get(name) ?? null));
    const people = new Map<string, number>();
    for (const { hamlet, ...person } of PEOPLE)
      people.set(
        person.alias,
        await ensurePerson(tx, {
          ...person,
          hamletId: hamletId(hamlet),
          channel: CHANNEL,
          userId: person.alias,
          nowMs,
        }),
      );
    for (const { hamlet, ...group } of GROUPS)
      await ensureGroup(tx, { ...group, channel: CHANNEL, hamletId: hamletId(hamlet) }, nowMs);

    if ((await listCameras(tx)).length === 0)
      for (const camera of CAMERAS) {
        const site = await ensureSite(tx, camera.name, hamletId(camera.hamlet));
        await changeSite(tx, site.id, { latitude: camera.spot[0], longitude: camera.spot[1] });
        const id = await addCamera(tx, {
          number: camera.number,
          recorderId: `cam${camera.number}`,
          name: camera.name,
          siteId: site.id,
          line: camera.line,
        });
        const technician = people.get('kythuat');
        if (ASSIGNED.includes(camera.number) && technician !== undefined) await assign(tx, technician, id);
      }

    const chief = people.get('truong');
    if (chief !== undefined && (await donationTotal(tx)).count === 0)
      for (const [i, [donorName, amountDong, alias]] of DONORS.entries())
        await addDonation(tx, {
          donorName,
          donorId: alias === null ? null : (people.get(alias) ?? null),
          amountDong,
          recordedMs: nowMs - (DONORS.length - i) * 86_400_000,
          recordedById: chief,
          // no message of this installation booked them
          inboxId: -1 - i,
        });
  });
  await ensureRecorded(db, recorder);
}

/** Every demo camera is known to the recorder: its index may be younger than our store. One that was removed stays so. */
async function ensureRecorded(db: Database, recorder: RecorderClient): Promise<void> {
  const there = new Set(
    [...(await recorder.cameras()), ...(await recorder.removedCameras())].map(({ id }) => id),
  );
  for (const camera of await listCameras(db)) {
    const demo = CAMERAS.find((one) => `cam${one.number}` === camera.recorderId);
    if (demo !== undefined && !there.has(camera.recorderId))
      await recorder.addCamera({ id: camera.recorderId, name: camera.name, url: demo.url });
  }
}
