package server

import "testing"

func TestConnsWithin(t *testing.T) {
	o := DefaultOptions()
	o.Loops = 2
	if got := connsWithin(20_000, o); got < 18_000 {
		t.Errorf("20,000 files leave %d connections, want at least 18,000", got)
	}
	o.Loops = 256
	if got, want := connsWithin(20_000, o), 20_000-reserveFor(20_000, o); got != want {
		t.Errorf("256 loops: %d connections, want %d", got, want)
	}
	o.Loops = 2
	for _, c := range []struct{ files, want int }{
		{9000, 9000 - reserveFor(9000, o)},
		{1024, 1024 - reserveFor(1024, o)},
		{400, 100}, // a quarter, rather than one
		{64, 16},
		{3, 1},
	} {
		if got := connsWithin(c.files, o); got != c.want {
			t.Errorf("%d files: %d connections, want %d", c.files, got, c.want)
		}
	}
}

// TestMaxAPIConns: the API has what the contract says, less only under a low limit.
func TestMaxAPIConns(t *testing.T) {
	for files, want := range map[int]int{1 << 20: 1024, 8192: 1024, 1024: 128, 3: 4} {
		if got := maxAPIConns(files, DefaultOptions()); got != want {
			t.Errorf("%d files: %d connections, want %d", files, got, want)
		}
	}
}

func TestRaiseOpenFiles(t *testing.T) {
	files, err := raiseOpenFiles()
	if err != nil || files < 64 {
		t.Fatalf("got %d, %v", files, err)
	}
	again, err := raiseOpenFiles()
	if err != nil || again != files {
		t.Errorf("the second time: %d, %v; want %d", again, err, files)
	}
}
