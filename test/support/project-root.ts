import { projectRoot as findRoot } from '../../src/base/project.js';

/** The folder of package.json, whether this runs from the sources or from dist/. */
export const projectRoot = findRoot();
