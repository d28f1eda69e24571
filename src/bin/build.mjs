import { prepare } from './prepare.mjs';

prepare({ say: console.log });
