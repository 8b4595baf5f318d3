import { mount } from "../mount.js";

export default mount("maps");
