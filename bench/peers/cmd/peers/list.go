package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// wish is what the command line says. Folders stay as they were given: the commands are recorded with the
// results, and a relative path says as much there as on any other machine.
type wish struct {
	source, bin string
	named       bool // this very peer is asked for
}

// peer is a server to compare with. prepare builds or finds it and returns the command that starts it, {port}
// standing for its port; or an error that says why it cannot be had.
type peer struct {
	name    string
	prepare func(wish) (command string, err error)
}

// peers are all of them, also those that are never run: nobody should wonder whether they were forgotten.
var peers = []peer{
	{"gws", built("gws")},
	{"gorilla", built("gorilla")},
	{"coder", built("coder")},
	{"centrifuge", built("centrifuge")},
	{"centrifuge-own", spoken("centrifuge", built("centrifuge-own"))},
	{"ws", node("ws")},
	{"socket.io", spoken("socketio", node("socketio"))},
	{"nchan", spoken("nchan", nchan)},
	{"workerman", workerman("", `Workerman\Worker`)},
	{"workerman-channel", workerman(" --workers=2 --channel", `Workerman\Worker`, `Channel\Server`)},
}

// built is a program of this module.
func built(name string) func(wish) (string, error) {
	return func(w wish) (string, error) {
		program := filepath.Join(w.bin, name)
		output, err := filepath.Abs(program)
		if err != nil {
			return "", err
		}
		cmd := exec.Command("go", "build", "-trimpath", "-o", output, "./cmd/"+name)
		cmd.Dir = w.source
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build: %s", lastLine(out, err))
		}
		return quote(program) + " -addr 127.0.0.1:{port}", nil
	}
}

// node is a program for Node; its packages are installed when they are missing.
func node(name string) func(wish) (string, error) {
	return func(w wish) (string, error) {
		if _, err := exec.LookPath("node"); err != nil {
			return "", errors.New("there is no node")
		}
		folder := filepath.Join(w.source, "node")
		if _, err := os.Stat(filepath.Join(folder, "node_modules/socket.io/package.json")); err != nil {
			cmd := exec.Command("npm", "ci")
			cmd.Dir = folder
			if out, err := cmd.CombinedOutput(); err != nil {
				return "", fmt.Errorf("npm ci: %s", lastLine(out, err))
			}
		}
		return "node " + quote(filepath.Join(folder, name+".js")) + " --addr=127.0.0.1:{port}", nil
	}
}

// workerman is there if the operator has installed it and says where: WORKERMAN stays in the environment for it.
func workerman(flags string, classes ...string) func(wish) (string, error) {
	return func(w wish) (string, error) {
		autoload := os.Getenv("WORKERMAN")
		if autoload == "" {
			return "", errors.New("WORKERMAN does not say where it is installed (README)")
		}
		if _, err := os.Stat(autoload); err != nil {
			return "", fmt.Errorf("WORKERMAN: %w", err)
		}
		if _, err := exec.LookPath("php"); err != nil {
			return "", errors.New("there is no php")
		}
		for _, class := range classes {
			check := fmt.Sprintf(`require getenv("WORKERMAN"); exit(class_exists('%s') ? 0 : 1);`, class)
			if out, err := exec.Command("php", "-r", check).CombinedOutput(); err != nil {
				return "", fmt.Errorf("WORKERMAN has no class %s: %s", class, lastLine(out, err))
			}
		}
		const check = `exit(extension_loaded("event") || extension_loaded("ev") ? 0 : 1);`
		watches := exec.Command("php", "-r", check).Run() == nil
		if !watches && !w.named {
			return "", errors.New("PHP has neither ext-event nor ext-ev: it would hold 1,000 connections at most, " +
				"and be slower (--only runs it all the same)")
		}
		program := quote(filepath.Join(w.source, "workerman/start.php"))
		return "php " + program + " start -q --addr=127.0.0.1:{port}" + flags, nil
	}
}

// spoken says what a peer speaks, if it is not groupcast's wire.
func spoken(dialect string, prepare func(wish) (string, error)) func(wish) (string, error) {
	return func(w wish) (string, error) {
		command, err := prepare(w)
		return "@" + dialect + " " + command, err
	}
}

// nchan is nginx with its module, as Debian has them; NCHAN_MODULE says where else it is.
func nchan(w wish) (string, error) {
	if _, err := exec.LookPath("nginx"); err != nil {
		return "", errors.New("there is no nginx (Debian: libnginx-mod-nchan)")
	}
	module := cmp.Or(os.Getenv("NCHAN_MODULE"), "/usr/lib/nginx/modules/ngx_nchan_module.so")
	if _, err := os.Stat(module); err != nil {
		return "", fmt.Errorf("nginx has no module Nchan (Debian: libnginx-mod-nchan): %w", err)
	}
	return "sh " + quote(filepath.Join(w.source, "nchan/start.sh")) + " {port}", nil
}

// lastLine is the end of what a program said, or else how it ended.
func lastLine(out []byte, err error) string {
	text := strings.TrimSpace(string(out))
	if text == "" {
		return err.Error()
	}
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// quote makes one word of it for a shell.
func quote(s string) string {
	if !strings.ContainsAny(s, " \t\n'\"`$&|;<>()*?[]#~\\!{}") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
