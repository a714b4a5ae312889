package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/meshc/meshc/catalog/state"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/bundle/provenance"
	"github.com/meshc/meshc/compiler/bundle/signature"
	"github.com/meshc/meshc/compiler/diag"
)

// signFlags say who vouches for a bundle, and how it came to be.
type signFlags struct {
	keys       []string
	provenance string
	builder    string
	revision   string
	epoch      int64
	flags      *pflag.FlagSet
}

func (f *signFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	f.flags = flags
	flags.StringArrayVar(&f.keys, "sign", nil, "sign with a private key: PEM `KEY` file of mode 0600, ed25519 or ECDSA P-256; repeatable")
	flags.StringVar(&f.provenance, "provenance", "", "write how the bundle was built to `FILE`: in-toto statement, SLSA provenance; with --all-envs a folder")
	flags.StringVar(&f.builder, "builder", "https://meshc.dev/builder/local", "`URI` of who builds, for --provenance")
	flags.StringVar(&f.revision, "revision", "", "`REVISION` of the sources, written into the manifest (default their Git commit)")
	flags.Int64Var(&f.epoch, "epoch", 0, "`NUMBER` that grows from bundle to bundle (default the time of the sources' Git commit; without one 0: unordered)")
}

// check judges the flags and reads the keys, before anything is built.
func (f *signFlags) check() ([]signature.Signer, error) {
	switch {
	case f.epoch < 0:
		return nil, usage(fmt.Errorf("--epoch %d is below 0", f.epoch))
	case f.provenance == "" && f.flags != nil && f.flags.Changed("builder"):
		return nil, usage(errors.New("--builder is written into the provenance: name its file with --provenance"))
	}
	var out []signature.Signer
	for _, path := range f.keys {
		data, err := state.Read(path) // refuses what others may read
		if err != nil {
			return nil, input(fmt.Errorf("--sign: %w", err))
		}
		s, err := signature.ParsePrivate(data)
		if err != nil {
			return nil, usage(fmt.Errorf("--sign %s: %w", path, err))
		}
		out = append(out, s)
	}
	return out, nil
}

// origin is the revision and the epoch that the manifest says.
func (f *signFlags) origin(inputs []sourceFile) revision {
	out := revision{Name: f.revision, Epoch: f.epoch}
	named, numbered := f.flags.Changed("revision"), f.flags.Changed("epoch")
	if named && numbered {
		return out
	}
	found, _ := gitRevision(inputs)
	if !named {
		out.Name = found.Name
	}
	if !numbered {
		out.Epoch = found.Epoch
	}
	return out
}

// sign adds the signatures.
func sign(b *bundle.Bundle, signers []signature.Signer) (*bundle.Bundle, error) {
	for _, s := range signers {
		signed, err := signature.Sign(b, s)
		if err != nil {
			return nil, err
		}
		b = signed
	}
	return b, nil
}

// apart refuses a provenance in a bundle's folder, which is replaced as a whole by
// the next build and holds nothing else. environments are those that are built into
// folders of their own; nil: one bundle is built.
func (f *buildFlags) apart(environments []string) error {
	if f.provenance == "" {
		return nil
	}
	dirs := []string{f.output}
	if f.allEnvs {
		dirs = nil
		for _, env := range environments {
			dirs = append(dirs, filepath.Join(f.output, env))
		}
	}
	for _, dir := range dirs {
		if lies(f.provenance, dir) {
			return usage(fmt.Errorf("--provenance %s lies in %s, which is the bundle's alone and is replaced by the next build: name a place beside it", f.provenance, dir))
		}
	}
	return nil
}

// lies tells that a path is a folder, or is in it.
func lies(path, dir string) bool {
	full, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	at, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(full, at)
	return err == nil && filepath.IsLocal(rel)
}

// tell writes the provenance of a bundle that was written: signed, if it is.
func (f *signFlags) tell(b *bundle.Bundle, signers []signature.Signer, path string) error {
	text, err := provenance.Statement(b, provenance.Build{Builder: f.builder, Version: versionString()})
	if err != nil {
		return engine(err)
	}
	if len(signers) > 0 {
		envelope, err := signature.Seal(provenance.PayloadType, text, signers...)
		if err != nil {
			return engine(err)
		}
		if text, err = envelope.JSON(); err != nil {
			return engine(err)
		}
	}
	err = os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, text, 0o644)
	}
	if err != nil {
		return input(err)
	}
	return nil
}

// judgeProvenance says why a file does not tell of a bundle's making or, where
// keys are given, why none of them vouches for it.
func judgeProvenance(path string, b *bundle.Bundle, keys []signature.Key) (diag.List, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 && signature.IsEnvelope(data) {
		return diag.List{noProvenance(path, errors.New("it is signed, and no key was named")).WithHelp("name the public key of whom you trust with --key")}, nil
	}
	if len(keys) > 0 {
		kind, text, _, err := signature.Open(data, keys)
		if err == nil && kind != provenance.PayloadType {
			err = fmt.Errorf("the envelope holds a %q", kind)
		}
		if err != nil {
			return diag.List{noProvenance(path, err)}, nil
		}
		data = text
	}
	if err := provenance.Describes(data, b); err != nil {
		return diag.List{noProvenance(path, err)}, nil
	}
	return nil, nil
}

func noProvenance(path string, why error) diag.Finding {
	return diag.New("MSH0416", diag.Span{File: path}, "%q is no provenance of this bundle: %v", path, why).
		WithEffect("how the bundle came to be is not known").
		WithHelp("take the file that `meshc build --provenance FILE` wrote with this bundle; where --key is given, it must have been built with --sign")
}
