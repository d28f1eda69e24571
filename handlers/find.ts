import { findByName, findSeveral, type Named } from '../src/base/vietnamese/names.js';
import { fold } from '../src/base/vietnamese/text.js';
import type { Camera } from '../src/store/cameras.js';
import type { Person } from '../src/store/people.js';
import { findHamlet, namesHamlet } from './saying.js';

export type CamerasFound =
  | { kind: 'none' }
  | { kind: 'all' }
  | { kind: 'some'; cameras: Camera[] }
  | { kind: 'ambiguous'; among: Camera[]; heard: string }
  /** `certain`: a camera was surely meant ("cam 99") */
  | { kind: 'unknown'; near: Camera[]; heard: string; certain: boolean };

const named = (camera: Camera): Named<Camera> => ({
  item: camera,
  number: camera.number,
  names: [
    camera.name,
    ...(camera.site === null ? [] : [camera.site.name]),
    ...(camera.hamletName === null ? [] : [`${camera.name} ${camera.hamletName}`]),
  ],
});

/** Longer words name nothing; comparing them with every name would hold up everybody else. */
const MOST_LETTERS = 300;
const heardOf = (words: string) => `${[...words.replace(/\s+/g, ' ').trim()].slice(0, 40).join('')}…`;

const CERTAIN = /^(?:(?:cam|camera|kam|mat|may quay|so|c)\s*)*\d/;

/** The cameras that words mean: by number, name, site or hamlet; one, several, or all. */
export function findCameras(all: readonly Camera[], words: string): CamerasFound {
  if (words.length > MOST_LETTERS)
    return { kind: 'unknown', near: [], heard: heardOf(words), certain: false };
  const folded = fold(words);
  if (folded === '' || /^(cam|camera|may quay|mat)$/.test(folded)) return { kind: 'none' };
  const heard = words.replace(/\s+/g, ' ').trim();
  const hamlets = [
    ...new Map(
      all.flatMap((camera) =>
        camera.hamletId === null || camera.hamletName === null
          ? []
          : [[camera.hamletId, { id: camera.hamletId, name: camera.hamletName }] as const],
      ),
    ).values(),
  ];
  const place = folded.replace(/^(?:cac |tat ca |het )?(?:cam |camera )?(?:o |tai |cua )?/, '');
  const hamlet = /^\d+$/.test(place) ? null : findHamlet(hamlets, place);
  if (hamlet !== null && (namesHamlet(place) || fold(hamlet.name) === place))
    return { kind: 'some', cameras: all.filter((camera) => camera.hamletId === hamlet.id) };
  const certain = CERTAIN.test(folded);
  if (!certain && folded.length < 3) return { kind: 'unknown', near: [], heard, certain: false };
  const found = findSeveral(words, all.map(named));
  switch (found.kind) {
    case 'all':
      return { kind: 'all' };
    case 'list':
      return { kind: 'some', cameras: found.items };
    case 'several':
      return { kind: 'ambiguous', among: found.items, heard: found.part };
    case 'none':
      return { kind: 'unknown', near: found.nearest, heard: found.part, certain };
  }
}

/** The people that words mean: "#12", a whole name, or a part of one. */
export function findPeople(people: readonly Person[], words: string): { exact: Person[]; near: Person[] } {
  if (words.length > MOST_LETTERS) return { exact: [], near: [] };
  const byId = /^\s*#\s*(\d{1,9})\s*$/.exec(words);
  if (byId !== null) return { exact: people.filter((person) => person.id === Number(byId[1])), near: [] };
  const folded = fold(words);
  if (folded.length < 2 || /^\d+$/.test(folded)) return { exact: [], near: [] };
  const same = people.filter((person) => fold(person.name) === folded || person.alias === folded);
  if (same.length > 0) return { exact: same, near: [] };
  const found = findByName(
    words,
    people.map((person) => ({ item: person, names: [person.name] })),
  );
  if (found.kind === 'one') return { exact: [found.item], near: [] };
  return found.kind === 'several' ? { exact: found.items, near: [] } : { exact: [], near: found.nearest };
}
