package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Found is a server that was found.
type Found struct {
	Path string
	Info Info  // empty if Err is not nil
	Err  error // it lives, but does not answer
}

// Search is what came of looking for servers.
type Search struct {
	Found []Found
	// Skipped says of each directory that was not looked into, or not at all of
	// it, why. Such an error wraps ErrDenied where this user was not allowed to.
	Skipped []error
}

// answerWithin is how long a server may take to say who it is.
const answerWithin = 2 * time.Second

// Discover is Look without what was left out.
func Discover(ctx context.Context, dirs []string) []Found { return Look(ctx, dirs).Found }

// Look asks every control socket in dirs which server it leads to. Sockets that
// nobody listens on are left out. In a directory that others can write to, only
// this user's own are asked.
func Look(ctx context.Context, dirs []string) Search { return look(ctx, dirs, ours) }

// LookIn is Look in one directory that the operator has named: root may look into
// another user's, if nobody else can write to it.
func LookIn(ctx context.Context, dir string) Search { return look(ctx, []string{dir}, named) }

func look(ctx context.Context, dirs []string, check func(dir string, looking bool) error) (s Search) {
	var paths []string
	for _, dir := range dirs {
		more, err := sockets(dir, check)
		paths = append(paths, more...)
		if err != nil {
			s.Skipped = append(s.Skipped, fmt.Errorf("%s: %w", dir, err))
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
	for _, f := range found {
		switch {
		case errors.Is(f.Err, ErrGone):
		case errors.Is(f.Err, ErrDenied), errors.Is(f.Err, ErrNotTrusted):
			s.Skipped = append(s.Skipped, f.Err)
		default:
			s.Found = append(s.Found, f)
		}
	}
	return s
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

// sockets are the paths in dir that look like control sockets, and may be asked.
// The error says why others may not.
func sockets(dir string, check func(dir string, looking bool) error) (paths []string, err error) {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, fs.ErrPermission):
		return nil, ErrDenied
	case err != nil:
		return nil, reason(err)
	}
	notOurs := check(dir, true)
	others := false
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), extension) || e.Type() != fs.ModeSocket {
			continue
		}
		if notOurs != nil {
			info, err := e.Info()
			if err != nil || ownerOf(info) != os.Geteuid() {
				others = true
				continue
			}
		}
		paths = append(paths, filepath.Join(dir, e.Name()))
	}
	switch {
	case !others:
		return paths, nil
	case os.Geteuid() != 0:
		return paths, ErrDenied
	}
	return paths, fmt.Errorf("%w: sockets of others in it are not asked", notOurs)
}
