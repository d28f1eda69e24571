import fs from 'node:fs';
import { printEnvExample } from '../base/config.js';

/** `npm run print`: writes every file and section that is printed from a table in the code. */
fs.writeFileSync('.env.example', printEnvExample());
