# Packages in the style of nixpkgs: each is a store path whose programs name their loader and libraries by store paths, so that
# nothing outside of the closure is needed to run them. Built by busybox in the sandbox.
{
  system,
  # What tests/nix/prepare found: where each file is, and its hash. A file that is in the store already is not read again, so that
  # this evaluates purely.
  inputs ? builtins.fromJSON (builtins.readFile ./inputs.json),
  overlays ? [ ],
}:
let
  inherit (builtins)
    concatLists
    concatStringsSep
    elem
    filter
    fromTOML
    head
    listToAttrs
    map
    readFile
    ;

  lock = file: fromTOML (readFile (./locks + "/${file}"));
  locks = [
    "base.lock"
    "synapse.lock"
    "postgres.lock"
    "redis.lock"
    "coturn.lock"
    "gateway.lock"
  ];
  byName =
    list:
    listToAttrs (
      map (package: {
        inherit (package) name;
        value = package;
      }) list
    );
  debian = byName (concatLists (map (file: (lock file).package) locks));
  wheels = byName (lock "python.lock").wheel;

  fixed =
    { name, sha256 }:
    builtins.path {
      inherit name sha256;
      path = "${inputs.packages}/${builtins.substring 0 2 sha256}/${sha256}";
      recursive = false;
    };
  deb =
    name:
    "${fixed {
      name = "${name}.deb";
      inherit (debian.${name}) sha256;
    }}";
  wheel =
    name:
    "${fixed {
      name = "${name}.whl";
      inherit (wheels.${name}) sha256;
    }}";

  # Programs that the derivations run: a static busybox and patchelf, as store paths.
  tools = "${
    builtins.path {
      name = "tools";
      inherit (inputs.tools) path sha256;
    }
  }";

  # Both programs as cargo built them on this machine. There is no compiler in the sandbox: what is built here is what is tested.
  programs = "${
    builtins.path {
      name = "synapse-site";
      inherit (inputs.synapse-site) path sha256;
    }
  }";

  # What the flake names for people who work on the tool, and no image holds: it is known, and cannot be built.
  elsewhere =
    name:
    make name "0" { } ''
      echo "the stand-in for nixpkgs has no ${name}" >&2
      exit 1
    '';

  # A store path made by a script of busybox' shell.
  make =
    name: version: environment: script:
    derivation (
      environment
      // {
        name = "${name}-${version}";
        inherit system tools;
        builder = "${tools}/bin/busybox";
        args = [
          "sh"
          "-eu"
          "-c"
          (
            ''
              mkdir "$NIX_BUILD_TOP/programs"
              "$tools/bin/busybox" --install -s "$NIX_BUILD_TOP/programs"
              export PATH="$NIX_BUILD_TOP/programs"
              mkdir root "$out"
            ''
            + script
          )
        ];
      }
    )
    // {
      inherit version;
    };

  # Debian packages in the layout of nixpkgs.
  fromDebian =
    name: packages: environment: script:
    make name (upstream debian.${head packages}.version) (environment // { debs = map deb packages; }) (
      ''
        for deb in $debs; do dpkg-deb -x "$deb" root; done
        for dir in lib bin sbin; do
          if [ -d root/$dir ] && [ ! -L root/$dir ]; then mkdir -p root/usr/$dir; cp -a root/$dir/. root/usr/$dir/; fi
        done
        mkdir -p "$out/lib"
        if [ -d root/usr/lib/x86_64-linux-gnu ]; then
          cp -a root/usr/lib/x86_64-linux-gnu/. "$out/lib/"
          rm -r root/usr/lib/x86_64-linux-gnu
        fi
        for dir in bin lib share; do
          if [ -d root/usr/$dir ]; then mkdir -p "$out/$dir"; cp -a root/usr/$dir/. "$out/$dir/"; fi
        done
        if [ -d root/usr/sbin ]; then mkdir -p "$out/bin"; cp -a root/usr/sbin/. "$out/bin/"; fi
        rm -rf "$out/share/doc" "$out/share/man" "$out/share/lintian"
      ''
      + script
    );

  # A Debian version without epoch and revision.
  upstream =
    version:
    let
      parts = builtins.match "([0-9]+:)?([^-+~]*).*" version;
    in
    builtins.elemAt parts 1;

  # Lets the programs named by `programs` find their loader and, also for the libraries of libraries, these packages.
  linked =
    name: packages: libraries: programs: script:
    fromDebian name packages
      {
        inherit programs;
        glibc = "${glibc}";
        runpath = concatStringsSep ":" (map (library: "${library}/lib") ([ glibc ] ++ libraries));
        support = "${jemalloc}";
      }
      (
        script
        + ''
        for program in $programs; do
          chmod u+w "$out/$program"
          "$glibc/lib/ld-linux-x86-64.so.2" --library-path "$glibc/lib:$support/lib" "$tools/bin/patchelf" \
            --set-interpreter "$glibc/lib/ld-linux-x86-64.so.2" --force-rpath --set-rpath "$out/lib:$runpath" "$out/$program"
        done
      ''
      );

  glibc = fromDebian "glibc" [
    "libc6"
    "libc-bin"
    "libgcc-s1"
  ] { } ''rm -rf "$out/lib/gconv"'';
  # The C++ library that it links is with it.
  jemalloc = fromDebian "jemalloc" [
    "libjemalloc2"
    "libstdc++6"
  ] { } "";
  openssl = fromDebian "openssl" [
    "libssl3t64"
    "libzstd1"
    "zlib1g"
  ] { } "";
  libpq = fromDebian "libpq" [
    "libpq5"
    "libcom-err2"
    "libgssapi-krb5-2"
    "libk5crypto3"
    "libkeyutils1"
    "libkrb5-3"
    "libkrb5support0"
    "libldap2"
    "libsasl2-2"
  ] { } "";
  systemd-libs = fromDebian "systemd-libs" [
    "libsystemd0"
    "libcap2"
  ] { } "";
  icu = fromDebian "icu4c" [ "libicu76" ] { } "";
  common = [
    jemalloc
    openssl
  ];

  python3 = linked "python3" (
    [
      "python3.13-minimal"
      "libpython3.13-minimal"
      "libpython3.13-stdlib"
    ]
    ++ [
      "libbz2-1.0"
      "libexpat1"
      "libffi8"
      "liblzma5"
      "libncursesw6"
      "libsqlite3-0"
      "libtinfo6"
      "libuuid1"
    ]
  ) (common ++ [ libpq ]) [ "bin/python3.13" ] "";
  python = "${python3}/bin/python3.13";

  # The interpreter as nixpkgs has it, with the packages that are made for it.
  interpreter = python3 // {
    pythonVersion = "3.13";
    sitePackages = "lib/python3.13/site-packages";
    pkgs = pythonPackages;
  };
  pythonPackages = {
    python = interpreter;
    toPythonModule = module: module // { pythonModule = interpreter; };
  };

  # Another one, whose modules Synapse cannot import. It evaluates, and nothing is built with it.
  otherInterpreter = elsewhere "python3.12" // {
    pythonVersion = "3.12";
    sitePackages = "lib/python3.12/site-packages";
    pkgs = {
      python = otherInterpreter;
      toPythonModule = module: module // { pythonModule = otherInterpreter; };
    };
  };

  # A wheel as a store path with byte code.
  pythonPackage =
    name:
    pythonPackages.toPythonModule (
      make "python3.13-${name}" wheels.${name}.version
        {
          wheel = wheel name;
          inherit python python3;
        }
        ''
          site="$out/lib/python3.13/site-packages"
          mkdir -p "$site"
          unzip -q "$wheel" -d root
          for data in root/*.data; do
            for kind in purelib platlib; do
              if [ -d "$data/$kind" ]; then cp -a "$data/$kind/." "$site/"; fi
            done
            rm -rf "$data"
          done
          cp -a root/. "$site/"
          "$python" -m compileall -q --invalidation-mode unchecked-hash "$site"
          # As in nixpkgs: who has the package has the interpreter.
          mkdir "$out/nix-support"
          echo "$python3" > "$out/nix-support/propagated-build-inputs"
        ''
    )
    // {
      pname = name;
    };
  psycopg2 = pythonPackages.toPythonModule (
    fromDebian "python3.13-psycopg2" [ "python3-psycopg2" ] { inherit python; } ''
      mkdir -p "$out/lib/python3.13"
      mv "$out/lib/python3/dist-packages" "$out/lib/python3.13/site-packages"
      "$python" -m compileall -q --invalidation-mode unchecked-hash "$out/lib/python3.13/site-packages"
    ''
  );

  # A function of named arguments whose result can be made again with others, as nixpkgs' callPackage leaves it: the arguments that
  # were given are seen by a function of them, defaults are not.
  overridable =
    function: arguments:
    function arguments
    // {
      override = {
        __functionArgs = builtins.functionArgs function;
        __functor =
          _: change:
          overridable function (arguments // (if builtins.isFunction change then change arguments else change));
      };
    };

  # Modules that only some extras bring.
  extraWheels = {
    postgres = [ ];
    redis = [
      "hiredis"
      "txredisapi"
    ];
    url-preview = [
      "beautifulsoup4"
      "soupsieve"
    ];
    jwt = [ "authlib" ];
    oidc = [ "authlib" ];
  };

  unwrapped = pythonPackage "matrix-synapse" // {
    python = interpreter;
    plugins.matrix-synapse-ldap3 = pythonPackage "matrix-synapse-ldap3" // {
      requiredPythonModules = [ (pythonPackage "ldap3") ];
    };
    optional-dependencies = builtins.mapAttrs (_: map pythonPackage) extraWheels // {
      postgres = [ psycopg2 ];
    };
  };
  # What Synapse imports whatever its extras are, and the modules' own dependencies, which the lock does not tell apart.
  always = filter (
    name:
    !elem name (
      [
        "ldap3"
        "matrix-synapse"
        "matrix-synapse-ldap3"
      ]
      ++ concatLists (builtins.attrValues extraWheels)
    )
  ) (builtins.attrNames wheels);

  # Synapse as nixpkgs wraps it. PYTHONPATH is set, not added to, and a module of another interpreter is left out without a word.
  synapse =
    {
      matrix-synapse-unwrapped,
      extras ? [
        "postgres"
        "url-preview"
      ],
      plugins ? [ ],
      ...
    }:
    let
      given = concatLists (map (extra: matrix-synapse-unwrapped.optional-dependencies.${extra}) extras) ++ plugins;
      fits = module: module ? pythonModule && module.pythonModule.outPath == interpreter.outPath;
      required = module: [ module ] ++ module.requiredPythonModules or [ ];
      modules = [ matrix-synapse-unwrapped ] ++ map pythonPackage always ++ filter fits (builtins.concatMap required given);
    in
    make "matrix-synapse" matrix-synapse-unwrapped.version
      {
        inherit python;
        shell = "${dash}/bin/dash";
        path = concatStringsSep ":" (map (module: "${module}/lib/python3.13/site-packages") modules);
      }
      ''
        mkdir "$out/bin"
        for program in synapse_homeserver:homeserver synapse_worker:generic_worker; do
          name="''${program%%:*}"
          printf '#!%s\nimport sys\nfrom synapse.app.%s import main\nsys.exit(main())\n' "$python" "''${program##*:}" > "$out/bin/.$name-wrapped"
          printf '#!%s\nexport PYTHONPATH=%s\nexec %s "$@"\n' "$shell" "$path" "$out/bin/.$name-wrapped" > "$out/bin/$name"
          chmod 755 "$out/bin/$name" "$out/bin/.$name-wrapped"
        done
      ''
    // {
      pname = "matrix-synapse";
      unwrapped = matrix-synapse-unwrapped;
      inherit (matrix-synapse-unwrapped) plugins;
      # For tests: what a wrapper of nixpkgs holds can be seen only in what it builds.
      inherit extras;
      modules = plugins;
    };

  # A script with a shebang, in the place that its caller names.
  script =
    name: place: text:
    make name "1" { inherit text; shell = "${dash}/bin/dash"; } ''
      rmdir "$out"
      mkdir -p "$(dirname "$out${place}")"
      printf '#!%s\n%s' "$shell" "$text" > "$out${place}"
      chmod 755 "$out${place}"
    '';

  dash = linked "dash" [ "dash" ] common [ "bin/dash" ] "";

  layered =
    base: overlay:
    let
      final = base // overlay final base;
    in
    final;
in
builtins.foldl' layered (
{
  inherit
    dash
    jemalloc
    python3
    ;
  glibc = glibc // { static = elsewhere "glibc-static"; };
  stdenv.hostPlatform = {
    inherit system;
    isLinux = builtins.match ".*-linux" system != null;
  };

  # The source and its lock have to be there, as for a compiler.
  rustPlatform.buildRustPackage =
    {
      pname,
      version,
      src,
      cargoLock,
      cargoBuildFlags,
      buildInputs,
      meta,
      ...
    }:
    make pname version
      {
        inherit src programs;
        lock = "${cargoLock.lockFile}";
      }
      ''
        cmp "$lock" "$src/Cargo.lock"
        test -f "$src/src/main.rs"
        cp -r "$programs/bin" "$out/bin"
      ''
    // {
      inherit
        meta
        src
        cargoBuildFlags
        buildInputs
        ;
    };

  mkShell =
    { packages, buildInputs }:
    make "shell" "0" { inherit packages buildInputs; } ''
      echo "$packages" > "$out/packages"
    '';

  cacert = make "nss-cacert" (upstream debian.ca-certificates.version) { deb = deb "ca-certificates"; } ''
    dpkg-deb -x "$deb" root
    mkdir -p "$out/etc/ssl/certs"
    find root/usr/share/ca-certificates -name '*.crt' | sort | xargs cat > "$out/etc/ssl/certs/ca-bundle.crt"
  '';

  tzdata = fromDebian "tzdata" [ "tzdata" ] { } "";

  matrix-synapse = overridable synapse { matrix-synapse-unwrapped = unwrapped; };
  matrix-synapse-unwrapped = unwrapped;
  matrix-synapse-plugins = unwrapped.plugins;
  python313 = interpreter;
  python312 = otherInterpreter;
  writeShellScript = name: script name "";
  writeShellScriptBin = name: script name "/bin/${name}";
  writeTextDir =
    path: text:
    make (builtins.baseNameOf path) "1" { inherit text; } ''
      mkdir -p "$(dirname "$out/${path}")"
      printf '%s' "$text" > "$out/${path}"
    '';
  postgresql_17 =
    let
      programs = [
        "initdb"
        "pg_controldata"
        "pg_ctl"
        "pg_dump"
        "pg_isready"
        "pg_restore"
        "postgres"
        "psql"
      ];
    in
    linked "postgresql"
      [
        "postgresql-17"
        "postgresql-client-17"
        "libaudit1"
        "libcap-ng0"
        "liblz4-1"
        "liblzma5"
        "libpam0g"
        "libreadline8t64"
        "libtinfo6"
        "libxml2"
        "libxxhash0"
      ]
      (
        common
        ++ [
          libpq
          systemd-libs
          icu
        ]
      )
      (map (program: "lib/postgresql/17/bin/${program}") programs)
      ''
        rm -rf "$out/bin"
        ln -s lib/postgresql/17/bin "$out/bin"
      ''
    // {
      psqlSchema = "17";
    };

  redis = linked "redis" [
    "redis-tools"
    "redis-server"
    "libatomic1"
    "liblzf1"
  ] (common ++ [ systemd-libs ]) [ "bin/redis-check-rdb" ] "";

  coturn = linked "coturn" [
    "coturn"
    "libevent-core-2.1-7t64"
    "libevent-extra-2.1-7t64"
    "libevent-openssl-2.1-7t64"
    "libevent-pthreads-2.1-7t64"
    "libhiredis1.1.0"
    "libmariadb3"
    "libsqlite3-0"
  ] (common ++ [
    libpq
    systemd-libs
  ]) [ "bin/turnserver" ] "";

  nginx = linked "nginx" [
    "nginx"
    "nginx-common"
    "libcrypt1"
    "libpcre2-8-0"
  ] common [ "bin/nginx" ] ''
    mkdir -p "$out/conf"
    cp root/etc/nginx/mime.types "$out/conf/"
  '';
}
// builtins.listToAttrs (
  map
    (name: {
      inherit name;
      value = elsewhere name;
    })
    [
      "cargo"
      "cargo-nextest"
      "clippy"
      "coreutils"
      "diffutils"
      "docker"
      "gnused"
      "nixfmt-tree"
      "rustc"
      "rustfmt"
    ]
)
) overlays
