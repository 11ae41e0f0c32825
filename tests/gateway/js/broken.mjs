// A stream whose tail is missing, read with the unmodified @google/genai.
// node broken.mjs URL KEY MODEL → what its reader is thrown, as JSON.
import { GoogleGenAI } from "@google/genai";

const [, , baseUrl, apiKey, model] = process.argv;
const ai = new GoogleGenAI({ apiKey, httpOptions: { baseUrl } });
let thrown = null;
try {
  for await (const chunk of await ai.models.generateContentStream({ model, contents: "a fox" })) {
    void chunk;
  }
} catch (error) {
  thrown = { name: error.name, status: error.status, message: error.message };
}
console.log(JSON.stringify(thrown));
