/** Every campaign by its name. */
import type { Campaign } from './campaign.js';
import { kills } from './kills.js';

export const campaigns: Record<string, Campaign> = {
  kills,
};
