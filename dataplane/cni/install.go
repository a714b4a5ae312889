package cni

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Node is where a node's container runtime looks for plugins and networks, as seen
// from here, and the program to put there.
type Node struct {
	BinDir  string // such as /opt/cni/bin
	ConfDir string // such as /etc/cni/net.d
	Program string // this program
	Log     *slog.Logger
}

// look is how often is looked at what no notice came for.
const look = 10 * time.Second

// Keep puts the plugin in place and keeps it there until ctx ends: whoever writes the
// network's configuration or the folder of plugins anew does not know of it. It stays in place afterwards, so
// that pods started while this is replaced are intercepted; Remove takes it away.
func (n Node) Keep(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("cni: %w", err)
	}
	defer watcher.Close()
	for _, dir := range []string{n.ConfDir, n.BinDir} {
		if err := watcher.Add(dir); err != nil {
			return fmt.Errorf("cni: %s: %w", dir, err)
		}
	}
	if err := n.copyProgram(); err != nil {
		return err
	}
	ticks := time.NewTicker(look)
	defer ticks.Stop()
	said := ""
	for {
		file, changed, err := n.restore()
		switch {
		case err != nil && err.Error() != said:
			said = err.Error()
			n.Log.Error("interception is not in the network's configuration", "error", err)
		case changed:
			said = ""
			n.Log.Info("pods that start are intercepted", "network", file)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-watcher.Events:
		case err := <-watcher.Errors:
			n.Log.Warn("watching "+n.ConfDir, "error", err)
		case <-ticks.C:
		}
	}
}

// restore puts back what is gone. A network that names a plugin which is not there
// starts no pod and ends none, so the program comes first.
func (n Node) restore() (file string, changed bool, err error) {
	if _, err := os.Stat(filepath.Join(n.BinDir, Type)); errors.Is(err, fs.ErrNotExist) {
		if err := n.copyProgram(); err != nil {
			return "", false, err
		}
	}
	return n.Place()
}

// copyProgram writes the program under the plugin's name, whole or not at all: the
// runtime may be about to run the one before.
func (n Node) copyProgram() error {
	program, err := os.ReadFile(n.Program)
	if err != nil {
		return fmt.Errorf("cni: %w", err)
	}
	if there, err := os.ReadFile(filepath.Join(n.BinDir, Type)); err == nil && bytes.Equal(there, program) {
		return nil
	}
	return replace(filepath.Join(n.BinDir, Type), program, 0o755)
}

// Place puts the plugin at the end of the chain of the network that the runtime uses,
// if it is not there. The runtime uses the first by name.
func (n Node) Place() (file string, changed bool, err error) {
	file, list, err := n.network()
	if err != nil {
		return file, false, err
	}
	plugins, _ := list["plugins"].([]any)
	rest := without(plugins)
	want := append(slices.Clone(rest), any(map[string]any{"type": Type, "capabilities": map[string]any{capability: true}}))
	if len(rest) == 0 {
		return file, false, fmt.Errorf("cni: %s has no plugin to stand behind", file)
	}
	if equal(plugins, want) {
		return file, false, nil
	}
	list["plugins"] = want
	return file, true, write(file, list)
}

// Remove takes the plugin out of the network's configuration, then off the node.
func (n Node) Remove() error {
	file, list, err := n.network()
	if err == nil {
		plugins, _ := list["plugins"].([]any)
		if rest := without(plugins); len(rest) < len(plugins) {
			list["plugins"] = rest
			err = write(file, list)
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Remove(filepath.Join(n.BinDir, Type)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cni: %w", err)
	}
	return nil
}

// network is the configuration that the runtime uses: the first by name.
func (n Node) network() (string, map[string]any, error) {
	entries, err := os.ReadDir(n.ConfDir)
	if err != nil {
		return n.ConfDir, nil, fmt.Errorf("cni: %w", err)
	}
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if e.IsDir() || ext != ".conflist" && ext != ".conf" && ext != ".json" {
			continue
		}
		file := filepath.Join(n.ConfDir, e.Name())
		text, err := os.ReadFile(file)
		if err != nil {
			return file, nil, fmt.Errorf("cni: %w", err)
		}
		var conf map[string]any
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber() // what is not ours is written back as it was
		if err := d.Decode(&conf); err != nil {
			return file, nil, fmt.Errorf("cni: %s: %w", file, err)
		}
		if ext != ".conflist" {
			return file, nil, fmt.Errorf("cni: %s is of the old form with a single plugin: rename it to .conflist and put the plugin in a list `plugins`", file)
		}
		return file, conf, nil
	}
	return n.ConfDir, nil, fmt.Errorf("cni: %s: no network yet: %w", n.ConfDir, fs.ErrNotExist)
}

func without(plugins []any) []any {
	return slices.DeleteFunc(slices.Clone(plugins), func(p any) bool {
		plugin, _ := p.(map[string]any)
		return plugin["type"] == Type
	})
}

func equal(a, b []any) bool {
	x, errA := json.Marshal(a)
	y, errB := json.Marshal(b)
	return errA == nil && errB == nil && bytes.Equal(x, y)
}

func write(file string, conf map[string]any) error {
	text, err := json.MarshalIndent(conf, "", "  ")
	if err != nil {
		return fmt.Errorf("cni: %s: %w", file, err)
	}
	return replace(file, append(text, '\n'), 0o644)
}

// replace writes a file whole or not at all. The name in between is one that no
// runtime takes for a network.
func replace(file string, text []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".meshc-*.new")
	if err != nil {
		return fmt.Errorf("cni: %w", err)
	}
	defer os.Remove(f.Name()) // gone already if all went well
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("cni: %w", err)
	}
	return nil
}
