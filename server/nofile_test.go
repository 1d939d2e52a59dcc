package server

import "testing"

func TestConnsWithin(t *testing.T) {
	o := DefaultOptions()
	o.Loops = 2
	if got := connsWithin(20_000, o); got < 19_000 {
		t.Errorf("20,000 files leave %d connections, want at least 19,000", got)
	}
	o.Loops = 256
	if got, want := connsWithin(20_000, o), 20_000-reserveFor(o); got != want {
		t.Errorf("256 loops: %d connections, want %d", got, want)
	}
	o.Loops = 2
	for _, c := range []struct{ files, want int }{
		{reserveFor(o) * 2, reserveFor(o)},
		{reserveFor(o) + 1, (reserveFor(o) + 1) / 4}, // a quarter, rather than one
		{64, 16},
		{3, 1},
	} {
		if got := connsWithin(c.files, o); got != c.want {
			t.Errorf("%d files: %d connections, want %d", c.files, got, c.want)
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
