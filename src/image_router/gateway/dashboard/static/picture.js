// A picture's page.
import { judging } from "./judge.js";

judging();
