package browser

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// startChromium starts headless Chromium with further flags and returns the context of its
// first tab, for two minutes. It ends with the test, which is skipped where there
// is no Chromium, but for a continuous integration.
func startChromium(tb testing.TB, more ...chromedp.ExecAllocatorOption) context.Context {
	tb.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") != "" {
			tb.Fatal("no Chromium: make test-deps installs it")
		}
		tb.Skip("no Chromium: make test-deps installs it, or says how")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // Chromium refuses to run as root otherwise; it loads nothing but our own page
		chromedp.UserDataDir(tb.TempDir()),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-gpu", true),
		chromedp.WSURLReadTimeout(60*time.Second),
	)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	tb.Cleanup(cancel)
	ctx, stop := chromedp.NewExecAllocator(ctx, append(options, more...)...)
	tb.Cleanup(stop)
	ctx, closeBrowser := chromedp.NewContext(ctx)
	tb.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits until the browser is gone, and its files with it
		closeBrowser()
	})
	if err := chromedp.Do(ctx); err != nil {
		tb.Fatalf("start the browser: %v", err)
	}
	return ctx
}
