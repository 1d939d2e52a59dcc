package control

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Found is a server that was found.
type Found struct {
	Path string
	Info Info  // empty if Err is not nil
	Err  error // it lives, but does not answer
}

// answerWithin is how long a server may take to say who it is.
const answerWithin = 2 * time.Second

// Discover asks every control socket in dirs which server it leads to. Sockets
// that nobody listens on are left out, and directories that others can write to.
func Discover(ctx context.Context, dirs []string) []Found {
	var paths []string
	for _, dir := range dirs {
		if ours(dir, true) == nil {
			paths = append(paths, sockets(dir)...)
		}
	}
	found := make([]Found, len(paths))
	places := make(chan struct{}, 16) // connections at a time
	var asking sync.WaitGroup
	for i, path := range paths {
		places <- struct{}{}
		asking.Go(func() {
			defer func() { <-places }()
			found[i] = Probe(ctx, path)
		})
	}
	asking.Wait()
	var live []Found
	for _, f := range found {
		if !errors.Is(f.Err, ErrGone) {
			live = append(live, f)
		}
	}
	return live
}

// Probe asks the socket at path which server it leads to.
func Probe(ctx context.Context, path string) Found {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	client := NewClient(path)
	defer client.Close()
	info, err := client.Info(ctx)
	return Found{path, info, err}
}
