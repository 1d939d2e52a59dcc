package server

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"groupcast/server/api"
	"groupcast/server/bus"
	"groupcast/server/control"
	"groupcast/server/door"
	"groupcast/server/door/acme"
	"groupcast/server/lockfile"
	"groupcast/server/token"
)

// Running is a server that will make way for the one that is checked.
type Running struct {
	PID       int      `json:"pid"`
	Addresses []string `json:"addresses"` // as they are bound
}

// Check reports what would keep a server from starting with o, each on its own,
// and takes nothing: files are opened and closed again, addresses bound and not
// listened on. An address that running has is free. Without running, one that is
// in use is no mistake: most checks are made beside a server that runs.
func Check(o Options, running *Running) error {
	if err := o.Validate(); err != nil {
		return err
	}
	errs := []error{
		checkLogFile(o.LogFile), checkTokens(o), checkCertificates(o), checkTokenKeys(o), checkPIDFile(o.PIDFile, running),
		checkNATS(o),
	}
	if _, err := identityOf(o); err != nil {
		errs = append(errs, err)
	}
	addresses := slices.Concat(o.Listen, o.Channel)
	if !slices.Equal(o.API, []string{none}) {
		addresses = append(addresses, o.API...)
	}
	if o.Pprof != "" {
		addresses = append(addresses, o.Pprof)
	}
	for _, text := range addresses {
		errs = append(errs, checkAddress(text, running))
	}
	return errors.Join(append(errs, checkControl(o, running))...)
}

func checkLogFile(path string) error {
	if path == "" {
		return nil
	}
	// A pipe that nobody reads from yet is waited for at the start.
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := lockfile.CheckDir(filepath.Dir(path)); err != nil {
			return fmt.Errorf("--log-file: %w", err)
		}
		return nil
	case errors.Is(err, syscall.ENXIO):
		return nil
	case err != nil:
		return fmt.Errorf("--log-file: %w", err)
	}
	return file.Close()
}

// checkTokenKeys reads files, and asks no key server.
func checkTokenKeys(o Options) error { return token.CheckFiles(o.Tokens()) }

// checkNATS reads files, and asks no NATS server.
func checkNATS(o Options) error {
	if len(o.Bus.Servers) == 0 {
		return nil
	}
	return bus.CheckFiles(o.Bus)
}

func checkCertificates(o Options) error {
	var errs []error
	if len(o.TLSCert) > 0 {
		if _, err := door.LoadCertificates(certificatePairs(o)); err != nil {
			errs = append(errs, fmt.Errorf("--tls-cert, --tls-key: %w", err))
		}
	}
	if len(o.ACME) > 0 {
		if err := acme.Check(acmeOptions(o)); err != nil {
			errs = append(errs, fmt.Errorf("--acme: %w", err))
		}
	}
	if _, err := door.ReadAuthorities(o.APIClientCA); o.APIClientCA != "" && err != nil {
		errs = append(errs, fmt.Errorf("--api-client-ca: %w", err))
	}
	if _, err := door.ReadAuthorities(o.ChannelClient.RootsFile); o.ChannelClient.RootsFile != "" && err != nil {
		errs = append(errs, fmt.Errorf("--channel-join-ca: %w", err))
	}
	return errors.Join(errs...)
}

func checkTokens(o Options) error {
	tokens, err := apiTokens(o, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return new(api.API).SetTokens(tokens)
}

func checkPIDFile(path string, running *Running) error {
	if path == "" {
		return nil
	}
	if running != nil {
		if named, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(named)) == fmt.Sprint(running.PID) {
			return nil
		}
	}
	if err := lockfile.CheckPID(path); err != nil {
		return fmt.Errorf("--pid-file: %w", err)
	}
	return nil
}

func checkControl(o Options, running *Running) error {
	switch {
	case o.Control == "" || o.Control == control.None:
		return nil // there is a warning at the start, and no more
	case control.IsDir(o.Control):
		dir := o.Control
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			dir = filepath.Dir(filepath.Clean(dir)) // it will be made
		}
		if err := lockfile.CheckDir(dir); err != nil {
			return fmt.Errorf("--control: %w", err)
		}
		return nil
	}
	if err := checkAddress("unix:"+o.Control, running); err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	return nil
}

// checkAddress says why text cannot be listened on.
func checkAddress(text string, running *Running) error {
	a, err := door.Parse(text)
	if err != nil {
		return err // Validate has said so
	}
	err = a.Try()
	if errors.Is(err, syscall.EADDRINUSE) && (running == nil || running.has(a)) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("listen on %s: %w", a, err)
	}
	return nil
}

// has reports whether the address will be free when r has gone.
func (r *Running) has(a door.Address) bool {
	for _, text := range r.Addresses {
		theirs, err := door.Parse(text)
		if err != nil || theirs.Network() != a.Network() {
			continue
		}
		if a.IsUnix() {
			own, err := filepath.Abs(a.Text())
			// A relative path means the same: the new server starts in the old one's directory.
			if other, wrong := filepath.Abs(theirs.Text()); err == nil && wrong == nil && own == other {
				return true
			}
			continue
		}
		_, own, err := net.SplitHostPort(a.Text())
		if _, port, wrong := net.SplitHostPort(theirs.Text()); err == nil && wrong == nil && own == port {
			return true
		}
	}
	return false
}
