import type { Role } from '../src/base/roles.js';
import type { Speaker, SpokenIn } from '../src/chat/command.js';
import type { Camera } from '../src/store/cameras.js';

/** The table of rights: who may do what. A role that is not named may not. */
export const MAY = {
  picture: ['chief', 'officer', 'technician', 'hamletHead'],
  clip: ['chief', 'officer'],
  cameraList: ['chief', 'officer', 'technician', 'hamletHead'],
  cameraChange: ['chief', 'technician'],
  people: ['chief'],
  groups: ['chief'],
  reports: ['chief', 'officer'],
  log: ['chief'],
  links: ['chief', 'officer', 'technician', 'hamletHead'],
  allLinks: ['chief'],
  invite: ['chief', 'officer'],
  donation: ['chief', 'hamletHead'],
  hamlets: ['chief'],
} as const satisfies Record<string, readonly Role[]>;

export const may = (role: Role, right: keyof typeof MAY): boolean =>
  (MAY[right] as readonly Role[]).includes(role);

/** Whom an inviter may let in: the chief anybody, an officer households only. */
export function invitable(role: Role): Role[] {
  if (role === 'chief') return ['household', 'donor', 'hamletHead', 'technician', 'officer', 'chief'];
  return role === 'officer' ? ['household'] : [];
}

/** Is this camera within the person's reach: all, the assigned ones, or those of the own hamlet? */
export function reaches(speaker: Pick<Speaker, 'personId' | 'role' | 'hamletId'>, camera: Camera): boolean {
  switch (speaker.role) {
    case 'chief':
    case 'officer':
      return true;
    case 'technician':
      return camera.technicianIds.includes(speaker.personId);
    case 'hamletHead':
      return speaker.hamletId !== null && camera.hamletId === speaker.hamletId;
    default:
      return false;
  }
}

/** May footage that this person asked for be shown here? Private: yes. A group: the officers', to an officer. */
export function mayShowHere(role: Role, group: SpokenIn | null): boolean {
  return group === null || (group.purpose === 'officers' && (role === 'chief' || role === 'officer'));
}
