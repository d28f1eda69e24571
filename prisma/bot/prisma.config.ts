import path from 'node:path';
import { PrismaLibSQL } from '@prisma/adapter-libsql';
import { defineConfig } from 'prisma/config';

/** Used by the Prisma CLI only; the database's file comes in by DATABASE_FILE. */
export default defineConfig({
  experimental: { adapter: true },
  engine: 'js',
  schema: path.join(import.meta.dirname, 'schema.prisma'),
  migrations: { path: path.join(import.meta.dirname, 'migrations') },
  adapter: async () => new PrismaLibSQL({ url: `file:${process.env.DATABASE_FILE ?? ':memory:'}` }),
});
