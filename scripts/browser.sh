#!/bin/sh
# Sees that there is a Chromium for the tests of the dashboard: the one IMAGE_ROUTER_BROWSER names, the system's,
# or playwright's own. Where there is none it installs Debian's package (as root), else fetches playwright's build
# into ~/.cache. Without any the tests of real pages are skipped, and say so; this script never fails.
set -u
python=${1:-python3}

for name in "${IMAGE_ROUTER_BROWSER:-}" chromium chromium-browser google-chrome google-chrome-stable; do
  if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
own=$("$python" -c 'from playwright.sync_api import sync_playwright as p
with p() as play: print(play.chromium.executable_path)' 2>/dev/null)
if [ -n "$own" ] && [ -x "$own" ]; then exit 0; fi

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "No browser for the dashboard's tests: installing chromium with apt-get …"
  timeout 300 apt-get install --yes --no-install-recommends chromium >/dev/null 2>&1 && exit 0
fi
echo "No browser for the dashboard's tests: fetching playwright's Chromium …"
timeout 180 "$python" -m playwright install chromium >/dev/null 2>&1 && exit 0
echo "None could be had: tests in a real browser will be skipped. Install chromium, or set IMAGE_ROUTER_BROWSER."
exit 0
