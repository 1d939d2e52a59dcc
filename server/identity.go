package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"groupcast/server/control"
	"groupcast/server/settings"
)

// identity is who the process becomes once everything is open.
type identity struct{ uid, gid int }

// identityOf looks up --user and --group; nil is the one that the process has.
func identityOf(o Options) (*identity, error) {
	if o.User == "" && o.Group == "" {
		return nil, nil //nolint:nilnil // nothing is asked for, which is nothing wrong
	}
	id := &identity{os.Geteuid(), os.Getegid()}
	if o.User != "" {
		found, err := user.Lookup(o.User)
		if err != nil {
			found, err = user.LookupId(o.User)
		}
		switch uid, wrong := number(o.User); {
		case err == nil:
			if id.uid, err = number(found.Uid); err != nil {
				return nil, fmt.Errorf("--user: %w", err)
			}
			if id.gid, err = number(found.Gid); err != nil {
				return nil, fmt.Errorf("--user: %w", err)
			}
		case wrong != nil:
			return nil, &settings.ValueError{Setting: "user", Wants: "a user of this machine", Got: strconv.Quote(o.User)}
		case o.Group == "":
			return nil, &settings.ValueError{
				Setting: "user", Wants: "--group, too: this machine does not know this user's", Got: strconv.Quote(o.User),
			}
		default:
			id.uid = uid
		}
	}
	if o.Group != "" {
		found, err := user.LookupGroup(o.Group)
		if err != nil {
			found, err = user.LookupGroupId(o.Group)
		}
		text := o.Group
		if err == nil {
			text = found.Gid
		}
		if id.gid, err = number(text); err != nil {
			return nil, &settings.ValueError{Setting: "group", Wants: "a group of this machine", Got: strconv.Quote(o.Group)}
		}
	}
	if os.Geteuid() != 0 && *id != (identity{os.Geteuid(), os.Getegid()}) {
		return nil, errors.New("--user, --group: only root may become another")
	}
	return id, nil
}

func number(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	return int(n), err
}

// become gives the process's rights up for good: for every thread, the supplementary
// groups included. What it has to use later becomes id's before: the sockets' files,
// and the log. Files that root's commands believe stay root's: the process id, and
// what restart runs.
func (s *Server) become(id *identity) error {
	if id == nil || os.Geteuid() != 0 {
		return nil
	}
	for _, l := range s.listeners() {
		path, isUnix := strings.CutPrefix(l.Address, "unix:")
		if !isUnix || strings.HasPrefix(path, "@") {
			continue
		}
		if err := giveSocket(path, id); err != nil {
			return fmt.Errorf("--user: give %s to user %d: %w", path, id.uid, err)
		}
	}
	if err := s.program.Log.give(id); err != nil {
		return fmt.Errorf("--user: give the log file to user %d: %w", id.uid, err)
	}
	if path := s.Control(); path != "" {
		if err := control.WriteRecord(path, s.program.Command); err != nil {
			s.log.Warn("groupcast restart will not do for this server", "error", err)
		}
	}
	err := syscall.Setgroups([]int{})
	if err == nil {
		err = syscall.Setgid(id.gid)
	}
	if err == nil {
		err = syscall.Setuid(id.uid)
	}
	if err != nil {
		return fmt.Errorf("--user: become user %d, group %d: %w", id.uid, id.gid, err)
	}
	if id.uid != 0 && syscall.Setuid(0) == nil {
		return errors.New("--user: the system lets the process become root again")
	}
	s.log.Info("gave up root", "uid", id.uid, "gid", id.gid)
	return nil
}

// give makes the log file id's, so that it can be opened again.
func (l *Log) give(id *identity) error {
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	if l.out.file == nil {
		return nil
	}
	info, err := l.out.file.Stat()
	if err != nil || info.Mode().Type() != 0 && info.Mode().Type() != fs.ModeNamedPipe {
		return err // /dev/null, a terminal
	}
	return l.out.file.Chown(id.uid, id.gid)
}
