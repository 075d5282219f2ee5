//! The system's users and groups: which groups have no members other than one user.

/// The system's users and groups, from files. `get` must not wait for a directory service.
pub(super) struct Groups {
    passwd: String,
    group: String,
    own: Ids,
}

/// The user and the primary group of this process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ids {
    pub(super) user: u32,
    pub(super) group: u32,
}

impl Groups {
    pub(super) fn of_system() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let own = Ids {
            user: nix::unistd::getuid().as_raw(),
            group: nix::unistd::getgid().as_raw(),
        };
        Self::new(&read("/etc/passwd"), &read("/etc/group"), own)
    }

    /// Creates it from the texts of `passwd(5)` and `group(5)`.
    pub(super) fn new(passwd: &str, group: &str, own: Ids) -> Self {
        Self {
            passwd: passwd.to_owned(),
            group: group.to_owned(),
            own,
        }
    }

    /// Returns whether a group has no members other than the user. On systems with such
    /// groups the umask is 002, so files are writable by the group.
    ///
    /// A group that is not in the files may be one of a directory service. It counts as
    /// private if it is the primary group of this process and has the number of the user:
    /// so SSSD (`auto_private_groups`), `systemd-homed` and rootless containers create private
    /// groups. A group that users share, such as that of all domain users, has another number.
    pub(super) fn is_private(&self, group: u32, user: u32) -> bool {
        let (group, user) = (group.to_string(), user.to_string());
        let passwd = self.passwd.lines().map(fields);
        let users: Vec<Vec<&str>> = passwd
            .filter(|fields| fields.get(3) == Some(&&*group))
            .collect();
        let is_users = |fields: &Vec<&str>| fields.get(2) == Some(&&*user);
        let names: Vec<&str> = users.iter().filter_map(|it| it.first().copied()).collect();
        let mut entries = self.group.lines().map(fields);
        let Some(entry) = entries.find(|fields| fields.get(2) == Some(&&*group)) else {
            return users.iter().all(is_users) && self.is_named_after_user(&group, &user);
        };
        let members = entry.get(3).copied().unwrap_or_default().split(',');
        !users.is_empty()
            && users.iter().all(is_users)
            && members
                .filter(|member| !member.is_empty())
                .all(|member| names.contains(&member))
    }
}

impl Groups {
    /// Returns whether a group is that of this process and has the number of its user.
    fn is_named_after_user(&self, group: &str, user: &str) -> bool {
        let Ids {
            user: own,
            group: primary,
        } = self.own;
        own == primary && own.to_string() == user && primary.to_string() == group
    }
}

fn fields(line: &str) -> Vec<&str> {
    line.trim().split(':').collect()
}

#[cfg(test)]
impl Groups {
    /// Creates a system without users and groups.
    pub(super) fn none() -> Self {
        Self::new("", "", Ids { user: 1, group: 2 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process whose primary group is not its user's.
    const OTHER_GROUP: Ids = Ids { user: 1, group: 2 };

    #[test]
    fn a_group_without_others_may_write() {
        let groups = Groups::new(
            "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/:\nbob:x:1001:1001::/:\neve:x:1002:100::/:\nsam:x:1003:100::/:",
            "root:x:0:\nann:x:1000:\nbob:x:1001:bob,ann\nusers:x:100:\n",
            OTHER_GROUP,
        );
        assert!(groups.is_private(0, 0));
        assert!(groups.is_private(1000, 1000));
        for (group, user, reason) in [
            (1001, 1001, "it has another member"),
            (100, 1002, "it is also another user's primary group"),
            (1000, 1001, "it is another user's group"),
            (4711, 4711, "it is not in the files"),
        ] {
            assert!(!groups.is_private(group, user), "{reason}");
        }
        let own = Groups::new("bob:x:1001:1001::/:", "bob:x:1001:bob", OTHER_GROUP);
        assert!(
            own.is_private(1001, 1001),
            "the user may be a listed member"
        );
    }

    #[test]
    fn a_group_of_a_directory_service_is_private_if_it_has_the_number_of_its_user() {
        const DOMAIN_USERS: u32 = 1_400_000_513;
        let is_private = |passwd: &str, own: (u32, u32), group, user| {
            let (own_user, own_group) = own;
            let own = Ids {
                user: own_user,
                group: own_group,
            };
            Groups::new(passwd, "root:x:0:\nstaff:x:50:", own).is_private(group, user)
        };
        assert!(is_private("", (70_001, 70_001), 70_001, 70_001));
        let local_user = "ann:x:70001:70001::/:";
        assert!(is_private(local_user, (70_001, 70_001), 70_001, 70_001));
        let shared = "bob:x:1001:70001::/:";
        for (passwd, own, group, user, reason) in [
            (
                "",
                (70_001, DOMAIN_USERS),
                DOMAIN_USERS,
                70_001,
                "it has another number",
            ),
            (
                "",
                (70_001, DOMAIN_USERS),
                70_001,
                70_001,
                "it is not the user's primary group",
            ),
            (
                "",
                (70_002, 70_002),
                70_001,
                70_001,
                "the file is another user's",
            ),
            (
                shared,
                (70_001, 70_001),
                70_001,
                70_001,
                "it is also another user's primary group",
            ),
            ("", (50, 50), 50, 50, "a local group has this number"),
        ] {
            assert!(!is_private(passwd, own, group, user), "{reason}");
        }
    }
}
