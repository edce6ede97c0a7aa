//! The relations of `pg_catalog`: their columns as PostgreSQL 15 has them.

use super::known::derived;

/// One relation.
pub struct Spec {
    /// Its name.
    pub name: &'static str,
    /// The object id that PostgreSQL fixed, or 0.
    oid: i32,
    /// `r` table, `v` view.
    pub kind: &'static str,
    /// Its columns.
    pub line: &'static str,
}

const fn table(name: &'static str, oid: i32, line: &'static str) -> Spec {
    Spec {
        name,
        oid,
        kind: "r",
        line,
    }
}

const fn view(name: &'static str, line: &'static str) -> Spec {
    Spec {
        name,
        oid: 0,
        kind: "v",
        line,
    }
}

/// The object id of one of them.
pub fn oid_of(spec: &Spec) -> i32 {
    match spec.oid {
        0 => derived("pg_catalog", spec.name),
        oid => oid,
    }
}

/// One of them by its name.
pub fn named(name: &str) -> Option<&'static Spec> {
    RELATIONS.iter().find(|spec| spec.name == name)
}

/// Those with rows. The others are always empty: tables have no indexes, constraints, triggers, …
pub const FILLED: &[&str] = &[
    "pg_am",
    "pg_attribute",
    "pg_authid",
    "pg_class",
    "pg_collation",
    "pg_database",
    "pg_description",
    "pg_language",
    "pg_namespace",
    "pg_proc",
    "pg_roles",
    "pg_settings",
    "pg_stat_activity",
    "pg_stat_user_tables",
    "pg_tables",
    "pg_tablespace",
    "pg_type",
    "pg_user",
];

/// All of them.
pub const RELATIONS: &[Spec] = &[
    table(
        "pg_class",
        1259,
        "oid:oid relname:name relnamespace:oid reltype:oid=0 reloftype:oid=0 relowner:oid relam:oid=0 relfilenode:oid=0 reltablespace:oid=0 relpages:int4=0 reltuples:float4=-1 relallvisible:int4=0 reltoastrelid:oid=0 relhasindex:bool=f relisshared:bool=f relpersistence:char=p relkind:char relnatts:int2 relchecks:int2=0 relhasrules:bool=f relhastriggers:bool=f relhassubclass:bool=f relrowsecurity:bool=f relforcerowsecurity:bool=f relispopulated:bool=t relreplident:char=d relispartition:bool=f relrewrite:oid=0 relfrozenxid:int4=0 relminmxid:int4=0 relacl:text[] reloptions:text[] relpartbound:text xmin:int8=1 tableoid:oid=1259",
    ),
    table(
        "pg_namespace",
        2615,
        "oid:oid nspname:name nspowner:oid nspacl:text[] xmin:int8=1 tableoid:oid=2615",
    ),
    table(
        "pg_attribute",
        1249,
        "attrelid:oid attname:name atttypid:oid attstattarget:int4=-1 attlen:int2 attnum:int2 attndims:int4=0 attcacheoff:int4=-1 atttypmod:int4=-1 attbyval:bool=f attalign:char=i attstorage:char=p attcompression:char attnotnull:bool atthasdef:bool=f atthasmissing:bool=f attidentity:char attgenerated:char attisdropped:bool=f attislocal:bool=t attinhcount:int4=0 attcollation:oid=0 attacl:text[] attoptions:text[] attfdwoptions:text[] attmissingval:text",
    ),
    table(
        "pg_type",
        1247,
        "oid:oid typname:name typnamespace:oid typowner:oid typlen:int2 typbyval:bool=f typtype:char typcategory:char typispreferred:bool=f typisdefined:bool=t typdelim:char=, typrelid:oid=0 typsubscript:oid=0 typelem:oid=0 typarray:oid=0 typinput:oid=0 typoutput:oid=0 typreceive:oid=0 typsend:oid=0 typmodin:oid=0 typmodout:oid=0 typanalyze:oid=0 typalign:char=i typstorage:char=p typnotnull:bool=f typbasetype:oid=0 typtypmod:int4=-1 typndims:int4=0 typcollation:oid=0 typdefaultbin:text typdefault:text typacl:text[] xmin:int8=1 tableoid:oid=1247",
    ),
    table(
        "pg_database",
        1262,
        "oid:oid datname:name datdba:oid encoding:int4=6 datlocprovider:char=c datistemplate:bool=f datallowconn:bool=t datconnlimit:int4=-1 datfrozenxid:int4=0 datminmxid:int4=0 dattablespace:oid=1663 datcollate:text=C datctype:text=C daticulocale:text daticurules:text datlocale:text datcollversion:text datlastsysoid:oid=13000 datacl:text[] xmin:int8=1",
    ),
    view(
        "pg_roles",
        "rolname:name rolsuper:bool=f rolinherit:bool=t rolcreaterole:bool=f rolcreatedb:bool=f rolcanlogin:bool rolreplication:bool=f rolconnlimit:int4=-1 rolpassword:text rolvaliduntil:timestamptz rolbypassrls:bool=f rolconfig:text[] oid:oid",
    ),
    table(
        "pg_authid",
        1260,
        "oid:oid rolname:name rolsuper:bool=f rolinherit:bool=t rolcreaterole:bool=f rolcreatedb:bool=f rolcanlogin:bool rolreplication:bool=f rolbypassrls:bool=f rolconnlimit:int4=-1 rolpassword:text rolvaliduntil:timestamptz",
    ),
    table(
        "pg_auth_members",
        1261,
        "roleid:oid member:oid grantor:oid admin_option:bool",
    ),
    view(
        "pg_user",
        "usename:name usesysid:oid usecreatedb:bool=f usesuper:bool=f userepl:bool=f usebypassrls:bool=f passwd:text valuntil:timestamptz useconfig:text[]",
    ),
    view("pg_group", "groname:name grosysid:oid grolist:oid[]"),
    view(
        "pg_settings",
        "name:text setting:text unit:text category:text short_desc:text extra_desc:text context:text=user vartype:text=string source:text=default min_val:text max_val:text enumvals:text[] boot_val:text reset_val:text sourcefile:text sourceline:int4 pending_restart:bool=f",
    ),
    table(
        "pg_index",
        2610,
        "indexrelid:oid indrelid:oid indnatts:int2 indnkeyatts:int2 indisunique:bool indnullsnotdistinct:bool indisprimary:bool indisexclusion:bool indimmediate:bool indisclustered:bool indisvalid:bool indcheckxmin:bool indisready:bool indislive:bool indisreplident:bool indkey:int2[] indcollation:oid[] indclass:oid[] indoption:int2[] indexprs:text indpred:text",
    ),
    table(
        "pg_constraint",
        2606,
        "oid:oid conname:name connamespace:oid contype:char condeferrable:bool condeferred:bool convalidated:bool conrelid:oid contypid:oid conindid:oid conparentid:oid confrelid:oid confupdtype:char confdeltype:char confmatchtype:char conislocal:bool coninhcount:int4 connoinherit:bool conkey:int2[] confkey:int2[] conpfeqop:oid[] conppeqop:oid[] conffeqop:oid[] confdelsetcols:int2[] conexclop:oid[] conbin:text xmin:int8 tableoid:oid",
    ),
    table(
        "pg_description",
        2609,
        "objoid:oid classoid:oid objsubid:int4 description:text",
    ),
    table(
        "pg_shdescription",
        2396,
        "objoid:oid classoid:oid description:text",
    ),
    table(
        "pg_attrdef",
        2604,
        "oid:oid adrelid:oid adnum:int2 adbin:text",
    ),
    table(
        "pg_proc",
        1255,
        "oid:oid proname:name pronamespace:oid proowner:oid prolang:oid procost:float4=1 prorows:float4=0 provariadic:oid=0 prosupport:oid=0 prokind:char=f prosecdef:bool=f proleakproof:bool=f proisstrict:bool=t proretset:bool=f provolatile:char=s proparallel:char=s pronargs:int2=1 pronargdefaults:int2=0 prorettype:oid proargtypes:oid[] proallargtypes:oid[] proargmodes:char[] proargnames:text[] proargdefaults:text protrftypes:oid[] prosrc:text probin:text prosqlbody:text proconfig:text[] proacl:text[] xmin:int8=1 tableoid:oid=1255",
    ),
    table(
        "pg_enum",
        3501,
        "oid:oid enumtypid:oid enumsortorder:float4 enumlabel:name",
    ),
    table(
        "pg_range",
        3541,
        "rngtypid:oid rngsubtype:oid rngmultitypid:oid rngcollation:oid rngsubopc:oid rngcanonical:oid rngsubdiff:oid",
    ),
    view(
        "pg_tables",
        "schemaname:name tablename:name tableowner:name tablespace:name hasindexes:bool=f hasrules:bool=f hastriggers:bool=f rowsecurity:bool=f",
    ),
    view(
        "pg_views",
        "schemaname:name viewname:name viewowner:name definition:text",
    ),
    view(
        "pg_matviews",
        "schemaname:name matviewname:name matviewowner:name tablespace:name hasindexes:bool ispopulated:bool definition:text",
    ),
    view(
        "pg_indexes",
        "schemaname:name tablename:name indexname:name tablespace:name indexdef:text",
    ),
    view(
        "pg_sequences",
        "schemaname:name sequencename:name sequenceowner:name data_type:text start_value:int8 min_value:int8 max_value:int8 increment_by:int8 cycle:bool cache_size:int8 last_value:int8",
    ),
    view(
        "pg_policies",
        "schemaname:name tablename:name policyname:name permissive:text roles:text[] cmd:text qual:text with_check:text",
    ),
    view(
        "pg_rules",
        "schemaname:name tablename:name rulename:name definition:text",
    ),
    view(
        "pg_stats",
        "schemaname:name tablename:name attname:name inherited:bool null_frac:float4 avg_width:int4 n_distinct:float4",
    ),
    table(
        "pg_inherits",
        2611,
        "inhrelid:oid inhparent:oid inhseqno:int4 inhdetachpending:bool",
    ),
    table(
        "pg_am",
        2601,
        "oid:oid amname:name amhandler:oid=0 amtype:char=t",
    ),
    table(
        "pg_extension",
        3079,
        "oid:oid extname:name extowner:oid extnamespace:oid extrelocatable:bool extversion:text extconfig:oid[] extcondition:text[]",
    ),
    view(
        "pg_available_extensions",
        "name:name default_version:text installed_version:text comment:text",
    ),
    table(
        "pg_collation",
        3456,
        "oid:oid collname:name collnamespace:oid collowner:oid collprovider:char=c collisdeterministic:bool=t collencoding:int4=-1 collcollate:text collctype:text colliculocale:text collicurules:text colllocale:text collversion:text",
    ),
    view(
        "pg_stat_activity",
        "datid:oid datname:name pid:int4 leader_pid:int4 usesysid:oid usename:name application_name:text client_addr:text client_hostname:text client_port:int4 backend_start:timestamptz xact_start:timestamptz query_start:timestamptz state_change:timestamptz wait_event_type:text wait_event:text state:text=active backend_xid:int4 backend_xmin:int4 query_id:int8 query:text backend_type:text",
    ),
    view(
        "pg_stat_database",
        "datid:oid datname:name numbackends:int4 xact_commit:int8 xact_rollback:int8 blks_read:int8 blks_hit:int8 tup_returned:int8 tup_fetched:int8 tup_inserted:int8 tup_updated:int8 tup_deleted:int8",
    ),
    view(
        "pg_stat_user_tables",
        "relid:oid schemaname:name relname:name seq_scan:int8 seq_tup_read:int8 idx_scan:int8 idx_tup_fetch:int8 n_tup_ins:int8 n_tup_upd:int8 n_tup_del:int8 n_live_tup:int8 n_dead_tup:int8 last_vacuum:timestamptz last_autovacuum:timestamptz last_analyze:timestamptz last_autoanalyze:timestamptz",
    ),
    view(
        "pg_stat_ssl",
        "pid:int4 ssl:bool version:text cipher:text bits:int4 client_dn:text client_serial:text issuer_dn:text",
    ),
    view(
        "pg_stat_replication",
        "pid:int4 usename:name application_name:text client_addr:text state:text",
    ),
    view(
        "pg_locks",
        "locktype:text database:oid relation:oid pid:int4 mode:text granted:bool",
    ),
    view(
        "pg_prepared_xacts",
        "transaction:int4 gid:text prepared:timestamptz owner:name database:name",
    ),
    view(
        "pg_timezone_names",
        "name:text abbrev:text utc_offset:text is_dst:bool",
    ),
    table(
        "pg_trigger",
        2620,
        "oid:oid tgrelid:oid tgparentid:oid tgname:name tgfoid:oid tgtype:int2 tgenabled:char tgisinternal:bool tgconstrrelid:oid tgconstrindid:oid tgconstraint:oid tgdeferrable:bool tginitdeferred:bool tgnargs:int2 tgattr:int2[] tgargs:text tgqual:text tgoldtable:name tgnewtable:name tableoid:oid=2620",
    ),
    table(
        "pg_event_trigger",
        3466,
        "oid:oid evtname:name evtevent:name evtowner:oid evtfoid:oid evtenabled:char evttags:text[]",
    ),
    table(
        "pg_rewrite",
        2618,
        "oid:oid rulename:name ev_class:oid ev_type:char ev_enabled:char is_instead:bool ev_qual:text ev_action:text tableoid:oid=2618",
    ),
    table(
        "pg_policy",
        3256,
        "oid:oid polname:name polrelid:oid polcmd:char polpermissive:bool polroles:oid[] polqual:text polwithcheck:text",
    ),
    table(
        "pg_publication",
        6104,
        "oid:oid pubname:name pubowner:oid puballtables:bool pubinsert:bool pubupdate:bool pubdelete:bool pubtruncate:bool pubviaroot:bool",
    ),
    table(
        "pg_publication_rel",
        6106,
        "oid:oid prpubid:oid prrelid:oid prqual:text prattrs:int2[]",
    ),
    table(
        "pg_publication_namespace",
        6237,
        "oid:oid pnpubid:oid pnnspid:oid",
    ),
    table(
        "pg_subscription",
        6100,
        "oid:oid subdbid:oid subname:name subowner:oid subenabled:bool subconninfo:text subslotname:name subpublications:text[]",
    ),
    table(
        "pg_statistic_ext",
        3381,
        "oid:oid stxrelid:oid stxname:name stxnamespace:oid stxowner:oid stxstattarget:int4 stxkeys:int2[] stxkind:char[] stxexprs:text",
    ),
    table(
        "pg_statistic",
        2619,
        "starelid:oid staattnum:int2 stainherit:bool stanullfrac:float4 stawidth:int4 stadistinct:float4",
    ),
    table(
        "pg_partitioned_table",
        3350,
        "partrelid:oid partstrat:char partnatts:int2 partdefid:oid partattrs:int2[] partclass:oid[] partcollation:oid[] partexprs:text",
    ),
    table(
        "pg_foreign_table",
        3118,
        "ftrelid:oid ftserver:oid ftoptions:text[]",
    ),
    table(
        "pg_foreign_server",
        1417,
        "oid:oid srvname:name srvowner:oid srvfdw:oid srvtype:text srvversion:text srvacl:text[] srvoptions:text[]",
    ),
    table(
        "pg_foreign_data_wrapper",
        2328,
        "oid:oid fdwname:name fdwowner:oid fdwhandler:oid fdwvalidator:oid fdwacl:text[] fdwoptions:text[]",
    ),
    table(
        "pg_user_mapping",
        1418,
        "oid:oid umuser:oid umserver:oid umoptions:text[]",
    ),
    view(
        "pg_user_mappings",
        "umid:oid srvid:oid srvname:name umuser:oid usename:name umoptions:text[]",
    ),
    table(
        "pg_tablespace",
        1213,
        "oid:oid spcname:name spcowner:oid spcacl:text[] spcoptions:text[]",
    ),
    table(
        "pg_sequence",
        2224,
        "seqrelid:oid seqtypid:oid seqstart:int8 seqincrement:int8 seqmax:int8 seqmin:int8 seqcache:int8 seqcycle:bool",
    ),
    table(
        "pg_language",
        2612,
        "oid:oid lanname:name lanowner:oid lanispl:bool=f lanpltrusted:bool=f lanplcallfoid:oid=0 laninline:oid=0 lanvalidator:oid=0 lanacl:text[]",
    ),
    table(
        "pg_cast",
        2605,
        "oid:oid castsource:oid casttarget:oid castfunc:oid castcontext:char castmethod:char",
    ),
    table(
        "pg_operator",
        2617,
        "oid:oid oprname:name oprnamespace:oid oprowner:oid oprkind:char oprcanmerge:bool oprcanhash:bool oprleft:oid oprright:oid oprresult:oid oprcom:oid oprnegate:oid oprcode:oid oprrest:oid oprjoin:oid tableoid:oid=2617",
    ),
    table(
        "pg_opclass",
        2616,
        "oid:oid opcmethod:oid opcname:name opcnamespace:oid opcowner:oid opcfamily:oid opcintype:oid opcdefault:bool opckeytype:oid tableoid:oid=2616",
    ),
    table(
        "pg_opfamily",
        2753,
        "oid:oid opfmethod:oid opfname:name opfnamespace:oid opfowner:oid tableoid:oid=2753",
    ),
    table(
        "pg_amop",
        2602,
        "oid:oid amopfamily:oid amoplefttype:oid amoprighttype:oid amopstrategy:int2 amoppurpose:char amopopr:oid amopmethod:oid amopsortfamily:oid",
    ),
    table(
        "pg_aggregate",
        2600,
        "aggfnoid:oid aggkind:char aggnumdirectargs:int2 aggtransfn:oid aggfinalfn:oid aggtranstype:oid",
    ),
    table(
        "pg_conversion",
        2607,
        "oid:oid conname:name connamespace:oid conowner:oid conforencoding:int4 contoencoding:int4 conproc:oid condefault:bool",
    ),
    table(
        "pg_depend",
        2608,
        "classid:oid objid:oid objsubid:int4 refclassid:oid refobjid:oid refobjsubid:int4 deptype:char",
    ),
    table(
        "pg_shdepend",
        1214,
        "dbid:oid classid:oid objid:oid objsubid:int4 refclassid:oid refobjid:oid deptype:char",
    ),
    table(
        "pg_default_acl",
        826,
        "oid:oid defaclrole:oid defaclnamespace:oid defaclobjtype:char defaclacl:text[]",
    ),
    table(
        "pg_db_role_setting",
        2964,
        "setdatabase:oid setrole:oid setconfig:text[]",
    ),
    table(
        "pg_seclabel",
        3596,
        "objoid:oid classoid:oid objsubid:int4 provider:text label:text",
    ),
    table(
        "pg_shseclabel",
        3592,
        "objoid:oid classoid:oid provider:text label:text",
    ),
    table(
        "pg_ts_config",
        3602,
        "oid:oid cfgname:name cfgnamespace:oid cfgowner:oid cfgparser:oid",
    ),
    table(
        "pg_ts_dict",
        3600,
        "oid:oid dictname:name dictnamespace:oid dictowner:oid dicttemplate:oid dictinitoption:text",
    ),
    table(
        "pg_ts_parser",
        3601,
        "oid:oid prsname:name prsnamespace:oid",
    ),
    table(
        "pg_ts_template",
        3764,
        "oid:oid tmplname:name tmplnamespace:oid",
    ),
    table(
        "pg_transform",
        3576,
        "oid:oid trftype:oid trflang:oid trffromsql:oid trftosql:oid",
    ),
    table(
        "pg_largeobject_metadata",
        2995,
        "oid:oid lomowner:oid lomacl:text[]",
    ),
];
