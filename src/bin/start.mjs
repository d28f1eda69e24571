// `npm start`: the one command that runs everything.
process.argv.splice(2, 0, 'src/main');
await import('./run.mjs');
