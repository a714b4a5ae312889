package protocol

import "encoding/json"

// InitializeParams are what a client says of itself.
type InitializeParams struct {
	ProcessID             *int               `json:"processId,omitempty"`
	RootURI               *string            `json:"rootUri,omitempty"`
	RootPath              *string            `json:"rootPath,omitempty"`
	Capabilities          ClientCapabilities `json:"capabilities"`
	InitializationOptions json.RawMessage    `json:"initializationOptions,omitempty"`
	WorkspaceFolders      []Folder           `json:"workspaceFolders,omitempty"`
}

// Folder is one that is open in the editor.
type Folder struct {
	URI  string `json:"uri"`
	Name string `json:"name"`
}

// ClientCapabilities are those of a client that change what the server does.
type ClientCapabilities struct {
	General struct {
		PositionEncodings []Encoding `json:"positionEncodings,omitempty"`
	} `json:"general"`
	Workspace struct {
		DidChangeWatchedFiles struct {
			DynamicRegistration bool `json:"dynamicRegistration"`
		} `json:"didChangeWatchedFiles"`
	} `json:"workspace"`
	TextDocument struct {
		Completion struct {
			CompletionItem struct {
				SnippetSupport bool `json:"snippetSupport"`
			} `json:"completionItem"`
		} `json:"completion"`
	} `json:"textDocument"`
}

// InitializeResult is what the server can do.
type InitializeResult struct {
	Capabilities ServerCapabilities `json:"capabilities"`
	ServerInfo   ServerInfo         `json:"serverInfo"`
}

// ServerInfo names the server.
type ServerInfo struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

// ServerCapabilities are what the server can do.
type ServerCapabilities struct {
	PositionEncoding   Encoding              `json:"positionEncoding"`
	TextDocumentSync   SyncOptions           `json:"textDocumentSync"`
	HoverProvider      bool                  `json:"hoverProvider"`
	DefinitionProvider bool                  `json:"definitionProvider"`
	ReferencesProvider bool                  `json:"referencesProvider"`
	DocumentSymbols    bool                  `json:"documentSymbolProvider"`
	WorkspaceSymbols   bool                  `json:"workspaceSymbolProvider"`
	RenameProvider     RenameOptions         `json:"renameProvider"`
	CompletionProvider CompletionOptions     `json:"completionProvider"`
	CodeActionProvider CodeActionOptions     `json:"codeActionProvider"`
	ExecuteCommand     ExecuteCommandOptions `json:"executeCommandProvider"`
	Workspace          WorkspaceOptions      `json:"workspace"`
}

// SyncOptions say how documents are kept equal; Change 2 is by parts.
type SyncOptions struct {
	OpenClose bool `json:"openClose"`
	Change    int  `json:"change"`
	Save      bool `json:"save"`
}

// RenameOptions say that names are asked for before they are changed.
type RenameOptions struct {
	PrepareProvider bool `json:"prepareProvider"`
}

// CompletionOptions name the characters that ask for a completion by themselves.
type CompletionOptions struct {
	TriggerCharacters []string `json:"triggerCharacters"`
}

// CodeActionOptions name the kinds of actions.
type CodeActionOptions struct {
	CodeActionKinds []string `json:"codeActionKinds"`
}

// ExecuteCommandOptions name the commands.
type ExecuteCommandOptions struct {
	Commands []string `json:"commands"`
}

// WorkspaceOptions say that folders may come and go.
type WorkspaceOptions struct {
	WorkspaceFolders struct {
		Supported           bool `json:"supported"`
		ChangeNotifications bool `json:"changeNotifications"`
	} `json:"workspaceFolders"`
}

// FoldersChange is workspace/didChangeWorkspaceFolders.
type FoldersChange struct {
	Event struct {
		Added   []Folder `json:"added"`
		Removed []Folder `json:"removed"`
	} `json:"event"`
}

// FilesChange is workspace/didChangeWatchedFiles.
type FilesChange struct {
	Changes []struct {
		URI  string `json:"uri"`
		Type int    `json:"type"`
	} `json:"changes"`
}

// Registrations asks a client to send something.
type Registrations struct {
	Registrations []Registration `json:"registrations"`
}

// Registration is one of them.
type Registration struct {
	ID              string `json:"id"`
	Method          string `json:"method"`
	RegisterOptions any    `json:"registerOptions,omitempty"`
}

// Watchers are the files to watch, by globs.
type Watchers struct {
	Watchers []Watcher `json:"watchers"`
}

// Watcher is one glob.
type Watcher struct {
	GlobPattern string `json:"globPattern"`
}

// Message is window/logMessage and window/showMessage. Type 1 is an error, 2 a
// warning, 3 information.
type Message struct {
	Type    int    `json:"type"`
	Message string `json:"message"`
}

// CancelParams name a request that nobody waits for any more.
type CancelParams struct {
	ID json.RawMessage `json:"id"`
}
