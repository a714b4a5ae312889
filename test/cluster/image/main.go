// Image writes a container image of files of this machine to standard output, as
// an archive that `ctr images import` reads. A dynamic program's libraries go
// with it. There is no registry and no daemon; equal files give equal bytes.
//
//	go run ./test/cluster/image -name meshc.test/echo:1 -file bin/echo=/echo -entrypoint /echo
package main

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// words is a flag that may be given several times.
type words []string

func (w *words) String() string     { return strings.Join(*w, " ") }
func (w *words) Set(s string) error { *w = append(*w, s); return nil }

func main() {
	tag := flag.String("name", "", "`NAME:TAG` of the image")
	user := flag.String("user", "", "`UID` it runs as")
	var files, entrypoint words
	flag.Var(&files, "file", "`SOURCE=TARGET` to put in, executable")
	flag.Var(&entrypoint, "entrypoint", "`WORD` of what it runs")
	flag.Parse()
	if err := write(os.Stdout, *tag, *user, files, entrypoint); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func write(out io.Writer, tag, user string, files, entrypoint []string) error {
	ref, err := name.NewTag(tag)
	if err != nil {
		return err
	}
	content, err := contents(files)
	if err != nil {
		return err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil })
	if err != nil {
		return err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return err
	}
	config.OS, config.Architecture = "linux", "amd64"
	config.Config.Entrypoint, config.Config.User = entrypoint, user
	config.Config.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		return err
	}
	return tarball.Write(ref, image, out)
}

// contents is the layer: the files, and the libraries that they need.
func contents(files []string) ([]byte, error) {
	sources := map[string]string{} // target to source
	for _, f := range files {
		source, target, ok := strings.Cut(f, "=")
		if !ok {
			return nil, fmt.Errorf("-file %q is not SOURCE=TARGET", f)
		}
		sources[target] = source
		if err := libraries(source, sources); err != nil {
			return nil, err
		}
	}
	targets := make([]string, 0, len(sources))
	for t := range sources {
		targets = append(targets, t)
	}
	slices.Sort(targets)
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	// A read-only root still needs a place to write to.
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}); err != nil {
		return nil, err
	}
	for _, t := range targets {
		data, err := os.ReadFile(sources[t])
		if err != nil {
			return nil, err
		}
		if err := w.WriteHeader(&tar.Header{Name: strings.TrimPrefix(t, "/"), Mode: 0o755, Size: int64(len(data))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(data); err != nil {
			return nil, err
		}
	}
	return buf.Bytes(), w.Close()
}

// libraries adds the loader of a dynamic program, and the libraries that it and they
// need, where this machine has them. Like the loader it looks at LD_LIBRARY_PATH first.
func libraries(program string, sources map[string]string) error {
	f, err := elf.Open(program)
	if err != nil {
		var format *elf.FormatError
		if errors.As(err, &format) || errors.Is(err, io.EOF) {
			return nil // not a program
		}
		return err
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			path, err := io.ReadAll(p.Open())
			if err != nil {
				return err
			}
			loader := strings.TrimRight(string(path), "\x00")
			sources[loader] = loader
		}
	}
	needed, err := f.ImportedLibraries()
	if err != nil {
		return err
	}
	for _, lib := range needed {
		source, target := locate(lib)
		if source == "" {
			return fmt.Errorf("%s needs %s, which this machine has not", program, lib)
		}
		if sources[target] != "" {
			continue
		}
		sources[target] = source
		if err := libraries(source, sources); err != nil {
			return err
		}
	}
	return nil
}

// places are where the loader looks for libraries.
var places = []string{"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib"}

// locate finds a library on this machine, and its place in the image.
func locate(lib string) (source, target string) {
	for _, dir := range filepath.SplitList(os.Getenv("LD_LIBRARY_PATH")) {
		if p := filepath.Join(dir, lib); dir != "" && exists(p) {
			return p, filepath.Join(places[0], lib)
		}
	}
	for _, dir := range places {
		if p := filepath.Join(dir, lib); exists(p) {
			return p, p
		}
	}
	return "", ""
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }
